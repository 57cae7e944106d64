"""Players of sequential games in a study without data sets: what the experiments find, the tables, figures and claims that
follow, and the report."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from banditfit import figures, report
from banditfit import psychometrics as ps
from banditfit.experiments import experiments
from banditfit.experiments import psychometrics as experiment
from banditfit.study.results import Results
from banditfit.tables import claim_cases, claims

DESIGN = {
    "boards": ["tiny_cross"],
    "players": ["shared", "mdp_mm"],
    "participants": 12,
    "games": 6,
    "replicates": 2,
    "runs": ["oracle", "mdp_gem", "mdp_mm", "hard"],
    "held_out": True,
}
RUNS = {
    "mdp_gem": {"method": "mdp_gem", "settings": {"bellman": 10}},
    "mdp_mm": {"method": "mdp_mm"},
    "hard": {"method": "mdp_gem", "settings": {"bellman": 10, "moments": "hard"}},
}
ASKED = {
    "runs": RUNS,
    "designs": {"small": DESIGN},
    "identification": {"boards": ["tiny_cross"], "participants": 6, "games": 6},
}
STUDY = SimpleNamespace(config={"psychometrics": ASKED, "seed": 1})


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """All tables of the study, as the workflow gathers them from the parts."""
    held = {}
    for name in ("psychometrics", "identification"):
        one = experiments()[name]
        parts = [one.run(**one.arguments(STUDY, part)) for part in one.parts(STUDY)]
        for table, found in one.gathered().items():
            place = one.found.index(found)
            held[table] = one.gather(table, [part[place] for part in parts])
    ledger = claims.check(claim_cases.Evidence(pd.DataFrame(columns=["dataset", "model", "run"]), held, [], {}))
    return held | dict(zip(("claims", "claim_figures"), ledger, strict=True))


def test_every_run_has_its_row_and_every_player_theirs(tables):
    table = tables["psychometrics"]
    assert len(table) == 7 and (table["failed"] == 0).all()  # of players without common values there is no oracle
    assert table.query("run == 'oracle'")["oracle"].tolist() == [1.0]
    players = tables["psychometrics_players"].query("run == 'mdp_gem' and players == 'shared'")
    assert len(players) == 24
    error = (players["log_beta"] - players["truth"]).groupby(players["replicate"])
    rmse = table.query("run == 'mdp_gem' and players == 'shared'")["rmse"].item()
    assert rmse == pytest.approx(np.sqrt(error.apply(lambda e: (e**2).mean())).mean())
    held_out = tables["psychometrics_held_out"]
    assert (held_out.groupby("players")["gap"].min() == 0.0).all() and (held_out["nll"] < np.log(4)).all()
    assert set(tables["psychometrics_validity"]["criterion"]) == {"score", "solved"}


def test_published_figures_stand_beside_runs_of_the_papers_size_alone(tables):
    assert tables["psychometrics"]["published_rmse"].isna().all()
    row = pd.DataFrame([dict.fromkeys(["design", "board", "players", "run", *experiment.FIT], 0.0)])
    row = row.assign(board="diamond", run="mdp_gem", participants=200, games=50, status="converged")
    assert experiment.summarise(row)[["published_rmse", "published_seconds"]].iloc[0].tolist() == [0.099, 19.4]


def test_a_fit_that_fails_says_why_in_its_row(monkeypatch):
    def break_down(logs, method="mdp_gem", settings=None, seed=0):
        if "bellman" not in (settings or {}):
            raise np.linalg.LinAlgError("no root")

    monkeypatch.setattr(ps, "fit", break_down)
    row, players, *_ = experiment.measure("tiny_cross", "shared", 4, 4, "mdp_gem", {})
    assert row.iloc[0][["status", "message"]].tolist() == ["failed", "LinAlgError: no root"] and players.empty
    keys = {"design": "d", "board": "tiny_cross", "players": "shared", "run": "mdp_gem"}
    assert experiment.summarise(row.assign(**keys))["failed"].tolist() == [1]


def test_claims_on_players_are_tested(tables):
    verdicts = tables["claims"].set_index("claim")["verdict"]
    assert verdicts["modes-are-enough"] == "does not hold" and verdicts["scale-per-state"] == "not tested here"
    assert verdicts[["peg-solitaire", "players-log-beta-concave"]].ne("not tested here").all()


def test_the_report_of_a_study_without_data_sets_tells_of_players(tables, tmp_path):
    results = Results(pd.DataFrame(columns=["dataset", "model", "run"]), tables, pd.DataFrame(), [], {}, {}, {})
    drawn = {}
    for name in figures.FIGURES:
        if figures.FIGURES[name].section == "psychometrics":
            figure = figures.draw(name, results)
            assert not isinstance(figure, figures.Nothing)
            figures.save(figure, tmp_path / name)
            drawn[name] = tmp_path / f"{name}.svg"
    assert isinstance(figures.draw("kl", results), figures.Nothing)
    manifest = {"date": "2026-01-01", "commit": "0" * 40, "config": {}, "config_sha256": "", "data": {}, "machines": []}
    how = {"title": "Players", "manifest": manifest, "tables": tables, "runs": [], "cases": {}, "figures": drawn}
    report.render(tmp_path / "report.html", **how)
    page = (tmp_path / "report/psychometrics.html").read_text()
    assert page.count("<figure ") == len(drawn) == 4 and "tiny cross" in page
    assert {path.stem for path in (tmp_path / "report").glob("*.html")} == {"psychometrics", "claims", "identity"}
    assert "times that of an oracle" in (tmp_path / "report.html").read_text()
