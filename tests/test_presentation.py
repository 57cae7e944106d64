"""Tables, comparison, figures and report, on a small judged study."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

import banditfit as bf
from banditfit import figures, report, tables
from banditfit.experiments import calibration
from banditfit.figures import _files, _style
from banditfit.methods import STATUSES
from banditfit.models.families import MODELS
from banditfit.report import charts, wording
from banditfit.study import catalogue, entries, store
from banditfit.study.cases import cases_of
from banditfit.study.results import Results
from banditfit.tables import curves, guide, published, summaries
from banditfit.tables.coverage import coverage as coverage_of
from project import site

pytestmark = pytest.mark.long

CONFIG = Path(__file__).parents[1] / "config"
HEAD = "\t".join(entries.COLUMNS)
ROWS = [
    "cvx\td_loc\t{}\tno\tCVX\tCVX\t#332288\t1\tsomebody",
    "d_loc\td_loc\t{}\tyes\tD-LOC\tD-LOC\t#D55E00\t2\tsomebody",
    "d_loc_published\td_loc_published\t{}\tyes\tD-LOC (as published)\tD-LOC\t#7A1040\t3\tsomebody",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    path = tmp_path_factory.mktemp("entries") / "methods.tsv"
    path.write_text("\n".join([HEAD, *ROWS]) + "\n")
    return entries.expand(entries.read_entries(path), ["cvx", "d_loc", "d_loc_published"], ["L-BFGS-B", "SLSQP"])


def fitted(data, runs):
    """Fits of every run; the run called cvx gets free kernels and a bound, as the relaxation has."""
    found = []
    for run in runs:
        fits = bf.fit(data, data.model, run.entry.method, settings=run.settings)
        fits["run"] = run.id
        fits["machine"] = '{"cpu": "a processor", "cores": "2", "threads": "1", "system": "any", "numpy": "2"}'
        if run.id == "cvx":
            lags = np.arange(data.choices.shape[1])
            free = [
                a[..., None] * b[..., None] * (1 - a[..., None]) ** lags
                for a, b in zip(map(np.nan_to_num, fits["alpha"]), map(np.nan_to_num, fits["beta"]), strict=True)
            ]
            fits["kernels"] = pd.Series(free, dtype=object)
            fits["lower_bound"] = fits["nll"] - 0.5
            fits["alpha"] = fits["beta"] = pd.Series([np.full_like(a, np.nan) for a in fits["alpha"]], dtype=object)
            fits["starts"] = None
        found.append(fits)
    return pd.concat(found, ignore_index=True)


class Made(dict):
    """Tables by name; what was not put here, such as a table that was added to the project, is made when it is asked for."""

    def __missing__(self, name):
        (maker,) = (maker for maker in tables._makers() if name in maker.names)
        self.update(zip(maker.names, maker.make(self.results), strict=True))
        return self[name]

    def __or__(self, others):
        both = Made(super().__or__(others))
        both.results = self.results
        return both


def study(datasets, runs, how):
    fits = [fitted(data, runs) for data in datasets]
    scores = pd.concat([bf.score(d, f) for d, f in zip(datasets, fits, strict=True)], ignore_index=True)
    summary = summaries.summarise(scores, runs)
    theirs = published.read_published(CONFIG / "published/published_tables.csv")
    comparison = published.compare(summary, runs, theirs, how)
    coverage = pd.concat([coverage_of(data, scores[scores["dataset"] == data.name]) for data in datasets])
    compared = summaries.compare(scores, runs)
    held = {data.name: data for data in datasets}
    results = Results(
        scores=scores,
        tables=Made(
            summary=summary,
            compared=compared,
            outcomes=summaries.outcomes(scores, runs),
            comparison=comparison,
            reproduction=published.reproduce(comparison, summary, runs, theirs, how),
            attribution=summaries.attribute(scores, runs),
            guide=guide.table(scores, compared, runs, coverage),
        ),
        examples=pd.concat(fits).query("episode == 0"),
        runs=runs,
        cases=how,
        data=held,
        first=held,
    )
    results.tables.results = results
    return results, fits


def small(name, model, arms, **changes):
    odds = np.linspace(0.8, 0.2, arms)
    beta = ((0.0, 5.0),) * MODELS[model].n_signals
    data = bf.simulate(name, model, p_reward=odds, p_switch=0.05, n_episodes=3, n_steps=30, seed=1, beta=beta)
    return replace(data, **changes)


@pytest.fixture(scope="module")
def known(runs):
    """Two data sets with truth, one of them under the name of a published one."""
    listed = catalogue.read_catalogue(CONFIG / "datasets.tsv")
    how = cases_of({name: listed[name] for name in ("forgetting_2arm", "tiny_3arm")})
    return study([small("forgetting_2arm", "forgetting", 2), small("tiny_3arm", "subrewards", 3)], runs, how)


@pytest.fixture(scope="module")
def unknown(runs):
    """One data set of one's own, without truth, with one method that gives no bound."""
    how = cases_of({"tiny_3arm": catalogue.read_catalogue(CONFIG / "datasets.tsv")["tiny_3arm"]})
    return study([small("tiny_3arm", "subrewards", 3, truth=None)], [run for run in runs if run.id == "d_loc.SLSQP"], how)


# Entries ---------------------------------------------------------------------------------------------------------------


def test_the_projects_own_table_of_methods_is_read_and_its_runs_have_settings():
    found = entries.read_entries(CONFIG / "methods.tsv")
    runs = entries.expand(found, list(found), ["L-BFGS-B", "TNC"])
    assert [run.id for run in entries.main_runs(runs)] == [
        f"{e.id}.L-BFGS-B" if e.local_solvers else e.id for e in found.values()
    ]
    assert all(run.settings["solver"] == run.local_solver for run in runs if run.local_solver)
    names = set(pd.read_csv(CONFIG / "published/published_tables.csv")["method"])
    assert {e.published for e in found.values()} - {None} <= names
    for right, correction in published.CORRECTED.items():
        assert len({e.published for e in found.values() if e.method in (right, correction.by)}) == 1


@pytest.mark.parametrize(
    ("method", "model", "metric", "corrected"),
    [
        ("cvx_loc_t", "forgetting", "kl", True),
        ("cvx_loc_t", "forgetting", "beta_error", False),
        ("cvx_loc_t", "per_arm", "kl", False),
        ("cvx_loc_t_published", "forgetting", "kl", False),
        ("cvx_loc_t_published", "forgetting", "time_ms", None),
        ("d_loc", "per_arm", "time_ms", True),
        ("profile", "forgetting", "kl", False),
    ],
)
def test_a_published_figure_is_held_against_one_method_only(method, model, metric, corrected):
    assert published._corrected(method, model, metric) is corrected


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("#332288", "blue", "row 2, column colour: found 'blue', expected a colour such as #1F77B4"),
        ("\t{}\tno", "\t[1]\tno", "row 2, column settings: found '[1]', expected a JSON object"),
        ("\tno\t", "\tno way\t", "row 2, column local_solvers: found 'no way', expected yes or no"),
        ("cvx\td_loc", "cvx\td_lok", "row 2, column method: found 'd_lok', expected one of "),
        ("cvx\td_loc", "c.vx\td_loc", "row 2, column id: found 'c.vx', expected small letters"),
        ("#332288\t1", "#332288\tfirst", "row 2, column order: found 'first', expected a whole number"),
        ("#332288\t1", "#332288\t2", "row 3, column order: found '2', expected a value that row 'cvx' does not have"),
        ("d_loc\t{}\tyes\tD-LOC\t", 'd_loc\t{"solver": "TNC"}\tyes\tD-LOC\t', "row 3, column settings: "),
        ("\tsomebody", "", "row 2: found 8 cells, expected 9"),
        ("id\t", "name\t", "row 1: found columns name, method"),
    ],
)
def test_a_wrong_table_of_methods_is_refused_in_one_sentence(tmp_path, before, after, said):
    path = tmp_path / "methods.tsv"
    path.write_text("\n".join([HEAD, *ROWS]).replace(before, after, 1))
    with pytest.raises(bf.InputError) as error:
        entries.read_entries(path)
    assert said in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_id_is_named():
    with pytest.raises(bf.InputError, match="found 'nobody', expected ids among"):
        entries.expand({}, ["nobody"], [])


# Tables ----------------------------------------------------------------------------------------------------------------


def equal(a, b):
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
    return a is b if a is None or isinstance(a, bool) else a == b or (a != a and b != b)


def test_tables_come_back_as_they_were_written(tmp_path, known):
    results, (fits, _) = known
    fits = fits.assign(posterior=None, diagnostics=None)
    fits.at[0, "posterior"] = {"alpha_sd": np.ones((1, 1)), "policy": np.full((30, 2), 0.5)}
    fits.at[1, "diagnostics"] = {"rhat": 1.01, "ess": 400.0}
    for table in (fits, fits.iloc[:0], results.scores):
        store.write_table(table, tmp_path / "t.parquet")
        again = store.read_table(tmp_path / "t.parquet")
        assert list(again.columns) == list(table.columns)
        assert (again.dtypes == table.dtypes).all()
        for column in table.columns:
            assert all(map(equal, table[column], again[column])), column
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_a_csv_comes_back_to_eight_digits(tmp_path, known, unknown):
    for results, _ in (known, unknown):
        for table in results.tables.values():
            store.write_csv(table, tmp_path / "t.csv")
            again = store.read_csv(tmp_path / "t.csv")
            pd.testing.assert_frame_equal(again, table, check_dtype=False, rtol=1e-7)


def test_a_summary_is_what_numpy_says(known):
    results, _ = known
    scores, summary = results.scores, results.tables["summary"]
    fits = scores[(scores["dataset"] == "tiny_3arm") & (scores["run"] == "d_loc.SLSQP")]
    for metric, unit, scale in (("kl", "nats", 1), ("alpha_error", "1", 1), ("t_wall", "ms", 1000)):
        row = summary.query("dataset == 'tiny_3arm' and run == 'd_loc.SLSQP' and metric == @metric").iloc[0]
        values = fits[metric].to_numpy() * scale
        assert (row["unit"], row["n"]) == (unit, 3)
        assert row[["median", "q25", "q75"]].tolist() == pytest.approx(np.percentile(values, (50, 25, 75)))
        assert row["mean"] == pytest.approx(values.mean())
        assert row["median_low"] == pytest.approx(values.min()) and row["median_high"] == pytest.approx(values.max())
    absent = summary.query("run == 'cvx' and metric == 'alpha_error'")
    assert (absent["n"] == 0).all() and absent["median"].isna().all()
    pd.testing.assert_frame_equal(summary, summaries.summarise(scores, results.runs))


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_bootstrap_medians_have_the_law_of_resampled_medians(n):
    values = np.random.default_rng(0).exponential(size=n)
    medians = summaries.bootstrap_medians(values, np.random.default_rng(1))
    plain = np.median(np.random.default_rng(2).choice(values, size=(40_000, n)), axis=1)
    # Distribution functions of 10 000 and 40 000 draws differ by less than this with a probability above 0.9999.
    at = np.unique(plain)
    ours, theirs = ((np.sort(m)[:, None] <= at + 1e-12).mean(axis=0) for m in (medians, plain))
    assert np.abs(ours - theirs).max() < 0.025


def test_outcomes_count_every_fit_once(known):
    results, _ = known
    scores = results.scores.copy()
    scores["fallback"] = np.where(scores["run"] == "cvx", "looser tolerances", "")
    scores.loc[(scores["run"] == "cvx") & (scores["episode"] == 0), "bound_holds"] = False
    counts = summaries.outcomes(scores, results.runs)
    assert counts["n"].sum() == len(scores) == counts[list(STATUSES)].to_numpy().sum()
    convex = counts[counts["run"] == "cvx"]
    assert convex["bounds"].tolist() == [3, 3] and convex["bounds_beaten"].tolist() == [1, 1]
    assert convex["fallback_names"].tolist() == ["looser tolerances (3)"] * 2
    assert convex["outside"].tolist() == [0, 0]
    assert counts.loc[counts["run"] == "d_loc.SLSQP", "bounds"].tolist() == [0, 0]


def test_the_parts_of_a_gap_add_up(known):
    results, _ = known
    parts = summaries.attribute(results.scores, results.runs)
    assert set(parts["run"]) == {run.id for run in results.runs} - {"cvx"}
    means = results.scores.groupby(["dataset", "run"])[["nll", "lower_bound"]].mean()
    for part in parts.itertuples():
        total = means.loc[(part.dataset, part.run), "nll"] - means.loc[(part.dataset, "cvx"), "lower_bound"]
        assert part.total == pytest.approx(total) == pytest.approx(part.poor_fit + part.undecided + part.loose)
    assert (parts[["poor_fit", "undecided", "loose"]] > -1e-9).all(axis=None)
    assert summaries.attribute(results.scores, results.runs[1:]).empty


def test_curves_count_and_rank_what_the_scores_hold_and_are_drawn(known, monkeypatch):
    results, _ = known
    table = curves.regrets(results.scores, results.runs)
    ones = results.scores.query("run == 'd_loc_published.L-BFGS-B' and dataset == 'tiny_3arm'")["regret"]
    held = table.query("run == 'd_loc_published.L-BFGS-B' and dataset == 'tiny_3arm'")
    assert held["share"].tolist() == [(ones <= nats).mean() for nats in held["nats"]] and (held["n"] == len(ones)).all()
    monkeypatch.setattr(curves, "BINS", 1)
    rows = curves.recovered_values(results.scores, results.runs, results.data, "alpha")
    case, fits = ("forgetting_2arm", "forgetting"), results.scores.query("run == 'd_loc.L-BFGS-B'")
    (row,) = [row for row in rows if row[:3] == (*case, "d_loc.L-BFGS-B")]
    alpha = np.concatenate([value.ravel() for value in fits[fits["dataset"] == case[0]]["alpha"]])
    assert row[3:5] == ("alpha", len(alpha)) and row[7] == pytest.approx(np.median(alpha), rel=1e-3)
    columns = ["dataset", "model", "run", "parameter", "n", "true", "q25", "median", "q75"]
    tables = {**results.tables, "regrets": table, "recovered_values": pd.DataFrame(rows, columns=columns)}
    for name in ("regret", "recovery_alpha", "solvers"):
        drawn = json.loads(charts.chart(name, tables, results.runs, results.cases))
        buttons = drawn["layout"]["updatemenus"][0]["buttons"]
        assert len(buttons) >= 2 and all(len(b["args"][0]["x"]) == len(drawn["data"]) for b in buttons)


def test_starts_are_measured_against_their_fits_best(known):
    starts = summaries.start_table(known[0].scores)
    assert len(starts) == 2 * 3 * 4 * 5  # data sets, episodes, runs, starts
    assert (starts.groupby(["dataset", "run", "episode"])["excess"].min() == 0).all()


# Comparison ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "theirs", "verdict"),
    [
        ("kl", 1.0, "reproduced"),
        ("kl", 0.9, "reproduced"),
        ("kl", 1.3, "better"),
        ("kl", 0.5, "worse"),
        ("time_ms", 1.0, "other machine"),
    ],
)
def test_the_verdict_rule(metric, theirs, verdict):
    assert published.verdict(metric, {"median": 1.0, "median_low": 0.9, "median_high": 1.2}, theirs) == verdict


def test_every_published_figure_has_its_row_with_ours_or_the_reason_why_not(known, unknown, runs):
    table = known[0].tables["reproduction"]
    theirs = published.read_published(CONFIG / "published/published_tables.csv")
    assert table.loc[: len(theirs) - 1, "published"].equals(theirs["median"])
    held = table[table["n"] > 0]
    # A figure of D-LOC is held against the run that reproduces it, not against those that correct it.
    assert held.groupby("run").size().to_dict() == {"d_loc_published.L-BFGS-B": 4, "d_loc_published.SLSQP": 4}
    assert set(held["reason"]) == {"ours is of 3 of 1000 episodes"} and set(held["verdict"]) <= set(published.VERDICTS)
    rest = table[table["n"] == 0]
    assert set(rest["verdict"]) == {"not comparable"}
    reasons = rest.set_index(published.KEYS)["reason"]
    assert reasons["forgetting", "2arm", "MC", "", "kl"] == "this study did not run it"
    assert reasons["forgetting", "2arm", "D-LOC", "TNC", "kl"] == "this study did not run it with TNC"
    assert reasons["per_arm", "2arm", "MC", "", "kl"] == "this study does not fit the data set"
    assert not unknown[0].tables["reproduction"]["n"].any()


def test_what_the_published_tables_lack_is_filled(known, runs):
    results, theirs = known[0], published.read_published(CONFIG / "published/published_tables.csv")
    fewer = theirs[~((theirs["method"] == "D-LOC") & (theirs["local_solver"] == "SLSQP") & (theirs["metric"] == "kl"))]
    summary = results.tables["summary"]
    comparison = published.compare(summary, runs, fewer, results.cases)
    table = published.reproduce(comparison, summary, runs, fewer, results.cases)
    filled = table[table["verdict"] == "not published"]
    assert filled["run"].tolist() == ["d_loc_published.SLSQP"] and filled["published"].isna().all()
    assert (
        filled["ours"].tolist()
        == summary.query("metric == 'kl' and run in @filled.run and dataset == 'forgetting_2arm'")["median"].tolist()
    )


def test_a_run_of_few_episodes_is_not_judged(known, runs):
    results, theirs = known[0], published.read_published(CONFIG / "published/published_tables.csv")
    summary = results.tables["summary"].copy()
    few = summary["run"] == "d_loc_published.SLSQP"
    summary.loc[few, "n"] = 1
    table = published.compare(summary, runs, theirs, results.cases)
    assert set(table.loc[table["run"] == "d_loc_published.SLSQP", "verdict"]) == {"not comparable"}
    assert set(table.loc[table["run"] == "d_loc_published.L-BFGS-B", "verdict"]) <= {*published.JUDGED, "other machine"}
    rows = published.reproduce(table, summary, runs, theirs, results.cases).query("n == 1")
    assert set(rows["verdict"]) == {"not comparable"} and set(rows["reason"]) == {"ours is of 1 of 1000 episodes"}


def test_a_comparison_pairs_what_belongs_together(known, unknown):
    results, _ = known
    table = results.tables["comparison"]
    assert set(table["dataset"]) == {"forgetting_2arm"} and unknown[0].tables["comparison"].empty
    assert table.groupby("run").size().to_dict() == {
        "cvx": 2,
        **{f"{m}.{s}": 4 for m in ("d_loc", "d_loc_published") for s in ("L-BFGS-B", "SLSQP")},
    }
    row = table.query("run == 'd_loc_published.L-BFGS-B' and metric == 'kl'").iloc[0]
    assert row["published"] == pytest.approx(0.00692, rel=1e-3) and not row["corrected"]
    assert row["ratio"] == pytest.approx(row["ours"] / row["published"])
    ours = (
        results.tables["summary"]
        .query("dataset == 'forgetting_2arm' and run == 'd_loc_published.L-BFGS-B'")
        .set_index("metric")
    )
    assert row["ours"] == ours.loc["kl", "median"]
    time = table.query("run == 'd_loc_published.L-BFGS-B' and metric == 'time_ms'").iloc[0]
    assert time["ours"] == ours.loc["t_published", "median"]  # both in ms
    assert table.query("run == 'd_loc.SLSQP'")["corrected"].all()


def test_published_figures_are_whole(tmp_path):
    path = CONFIG / "published/published_tables.csv"
    assert len(published.read_published(path)) == 620
    lines = path.read_text().splitlines()
    (tmp_path / "twice.csv").write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(bf.InputError, match=r"row 622: found forgetting 2arm CVX  kl again, expected it once"):
        published.read_published(tmp_path / "twice.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(bf.InputError, match="row 1: found columns a, b, expected model, bandit"):
        published.read_published(tmp_path / "other.csv")


# Figures and report ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_draws_with_and_without_data(name, known, unknown, tmp_path):
    for k, results in enumerate((known[0], unknown[0], with_posteriors(known[0]))):
        figures.save(figures.draw(name, results), tmp_path / f"{name}{k}", ("svg", "png"))
        assert (tmp_path / f"{name}{k}.png").stat().st_size > 1000
        ElementTree.parse(tmp_path / f"{name}{k}.svg")


def test_a_figure_has_the_same_bytes_twice(known, tmp_path, monkeypatch):
    sums = []
    for k in range(2):
        monkeypatch.setitem(figures.STYLE, "svg.hashsalt", f"{k}")  # as if positions differed in their last bits
        figures.save(figures.draw("kl", known[0]), tmp_path / f"{k}", ("svg", "png"))
        sums.append([hashlib.sha256((tmp_path / f"{k}.{kind}").read_bytes()).hexdigest() for kind in ("svg", "png")])
    assert sums[0] == sums[1]


def test_a_figure_for_a_paper_is_as_wide_as_its_columns_and_shows_what_is_asked_for(known, tmp_path):
    asked = {"columns": 1, "letters": True, "methods": ["d_loc", "cvx"], "labels": {"d_loc": "Direct", "tiny_3arm": "Three"}}
    figures.draw_for_paper("kl", known[0], asked | {"datasets": ["tiny_3arm"]}, tmp_path / "kl")
    drawn = ElementTree.parse(tmp_path / "kl.svg").getroot()
    words = "".join(drawn.itertext())
    with Image.open(tmp_path / "kl.png") as image:
        assert drawn.get("width") == "252pt" and image.width == 1050  # 3.5 inches
    assert (tmp_path / "kl.pdf").read_bytes().startswith(b"%PDF")
    assert "a  Three" in words and "Direct" in words and "as published" not in words and "forgetting" not in words


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"draw": ["kll"]}, "figures.draw has 'kll', expected one of kl, "),
        ({"methods": ["mc"]}, "figures.methods has 'mc', expected one of "),
        ({"datasets": ["mine"]}, "figures.datasets has 'mine', expected one of tiny_3arm"),
        ({"labels": {"mine": "x"}}, "figures.labels has 'mine', expected the id of a method or data set: "),
        ({"font": "No Such Font"}, "figures.font is 'No Such Font', expected the name of an installed font"),
    ],
)
def test_a_wrong_wish_for_figures_is_refused_in_one_sentence(asked, said, runs):
    study = SimpleNamespace(config={"figures": asked}, runs={run.id: run for run in runs}, catalogue={"tiny_3arm": None})
    with pytest.raises(bf.InputError) as error:
        figures.paper_figures(study, "my.yaml")
    assert str(error.value).startswith(f"my.yaml: {said}")


def test_variants_stay_out_of_figures_that_compare_methods_unless_asked_for(known):
    other = lambda run: replace(run.entry, family="x", variant=run.entry.id == "d_loc_published")  # noqa: E731
    results = replace(known[0], runs=[replace(run, entry=other(run)) for run in known[0].runs])
    shown = lambda figure: {tick.get_text() for ax in figure.axes for tick in ax.get_yticklabels()}  # noqa: E731
    assert "D-LOC (as published)" not in shown(figures.draw("kl", results))
    assert "D-LOC (as published)" in shown(figures.plot(results, "kl", variants=True, columns=1))


def with_posteriors(results):
    """The same study after Monte Carlo: some fits of a run that has posteriors, under its name."""
    row = {"n": 3, "min": 1.0, "q05": 1.0, "median": 1.00123, "q95": 1.2, "max": 1.5}
    chains = {"bar": "at most 1.01", "failing": 1, "sampled_again": 2, "not_converged": 1}
    errors = {"limit": 1.96, "n": 100, "beyond": 20, "share": 0.2, "chance": 0.05, "p_value": 1e-7}
    draws = pd.DataFrame(np.random.default_rng(0).uniform(size=(400, 2)), columns=["alpha", "beta"])
    draws = draws.assign(chain=np.repeat(range(4), 100), draw=np.tile(range(100), 4), divergent=draws["alpha"] > 0.99)
    ranks = pd.DataFrame({"model": "forgetting", "parameter": "alpha reward all", "episode": range(40), "sound": True})
    ranks["rank"] = np.arange(40) * 2
    summary = results.tables["summary"].copy()
    kl = summary[(summary["metric"] == "kl") & (summary["run"] == "d_loc.L-BFGS-B")]
    found = results.tables | {
        "summary": pd.concat([summary[summary["metric"] != "kl_mean_policy"], kl.assign(metric="kl_mean_policy")]),
        "diagnostics": pd.DataFrame(
            [
                {"dataset": "forgetting_2arm", "model": "forgetting", "run": "d_loc.L-BFGS-B", "diagnostic": "r_hat"}
                | row
                | chains
            ]
        ),
        "agreement": pd.DataFrame(
            [{"dataset": "forgetting_2arm", "model": "forgetting", "run": "d_loc.L-BFGS-B", "parameter": "beta"} | errors]
        ).assign(z_mean=0.1, z_sd=2.0, z_largest=-7.5),
        "draws": draws.assign(dataset="forgetting_2arm", model="forgetting", run="d_loc.L-BFGS-B", episode=0).assign(
            signal="reward", arm="all"
        ),
        "calibration": ranks,
        "uniformity": calibration.uniformity(ranks),
    }
    return replace(results, tables=found, scores=results.scores.assign(kl_mean_policy=results.scores["kl"] / 2))


def rendered(results, path, scores=None, pictures=None):
    scores = results.scores if scores is None else scores
    picture = path.with_suffix(".svg")
    picture.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    compared = summaries.compare(scores, results.runs)
    made_anew = {
        "compared": compared,
        "outcomes": summaries.outcomes(scores, results.runs),
        "attribution": summaries.attribute(scores, results.runs),
        "guide": guide.table(scores, compared, results.runs, pd.DataFrame(columns=["dataset", "model", "run", "coverage"])),
    }
    found = {**results.tables, **made_anew, "choices": guide.choices(scores, made_anew["guide"])}
    for name, table in found.items():  # as a workflow hands them over
        store.write_csv(table, path.with_name(f"{name}.csv"))
    report.render(
        path,
        title="A <small> study",
        manifest={
            "date": "2026-01-01",
            "commit": "abc",
            "config": {"study": "test"},
            "config_sha256": "0" * 64,
            "data": {
                d.name: {"episodes": 3, "steps": 30, "arms": 2, "choices": "a", "rewards": "b"} for d in results.data.values()
            },
            "machines": [
                {"fits": n, "cpu": "a processor", "cores": "2", "threads": "1", "system": "any", "numpy": "2", "commit": commit}
                for n, commit in ((9, "abc"), (2, "def"))
            ],
        },
        tables={name: store.read_csv(path.with_name(f"{name}.csv")) for name in found},
        runs=results.runs,
        cases=results.cases,
        figures=dict.fromkeys(pictures or figures.FIGURES, picture),
    )
    return site(path)


def test_the_report_says_what_the_tables_say(known, tmp_path):
    results, _ = known
    page = rendered(results, tmp_path / "report.html")
    assert "<title>A &lt;small&gt; study</title>" in page and "<title>Results · A &lt;small&gt; study</title>" in page
    assert not re.findall(r'(?:src|link [^>]*href)="[a-z]+:', page)  # nothing is loaded from elsewhere
    for section in ("identity", "known", "results", "figures", "times", "outcomes", "corrections", "limitations"):
        assert f'<h2 id="{section}">' in page
    assert 0 < page.count("<figure ") == sum(f'<h2 id="{spec.section}">' in page for spec in figures.FIGURES.values())
    assert "No published figures exist for" in page
    assert "the code of 2 commits" in page and "different machines" not in page
    for median in results.tables["summary"].query("dataset == 'forgetting_2arm' and metric == 'kl'")["median"]:
        assert wording.sig(median) in page
    assert "none was beaten by an admissible fit" in page and 'class="wrong"' not in page
    lagged, aligned = (
        results.tables["summary"].query("dataset == 'forgetting_2arm' and metric == 'kl' and run == @run").iloc[0]["median"]
        for run in ("d_loc_published.L-BFGS-B", "d_loc.L-BFGS-B")
    )
    assert f"×{wording.sig(lagged / aligned)}</td>" in page


def check_links(folder):
    """Every link of every page leads to a file, and a part of it, that is there."""
    for file in (folder / "report.html", *folder.glob("report/*.html")):
        for target, part in re.findall(r'(?:href|src)="(?!https:)([^"#]*)(?:#([^"]*))?"', file.read_text()):
            to = file.parent / target if target else file
            assert to.is_file(), f"{file.name}: {target}"
            assert not part or f' id="{part}"' in to.read_text(), f"{file.name}: {target}#{part}"


def test_every_link_of_the_site_leads_somewhere(known, tmp_path):
    rendered(with_posteriors(known[0]), tmp_path / "report.html")
    check_links(tmp_path)


def test_the_report_says_what_posteriors_are_worth(known, tmp_path):
    (tmp_path / "without").mkdir()
    assert 'id="posterior"' not in rendered(known[0], tmp_path / "without/report.html")
    page = rendered(with_posteriors(known[0]), tmp_path / "report.html")
    assert '<h2 id="posterior">' in page
    assert page.count("<figure ") == sum(f'<h2 id="{spec.section}">' in page for spec in figures.FIGURES.values())
    section = page.split('<h2 id="posterior">')[1].split("<h2")[0]
    assert "Of 3 fits by Monte Carlo, 2 (66.7 %) failed a diagnostic" in section and "1.0012" in section
    assert "20 of 100 means are off by more than 1.96 standard errors" in section
    assert "more than chance explains for β on forgetting, 2 arms" in section
    assert "ratio of plug-in to mean policy: 1.00)" in section
    assert "Over 1 parameter of 1 model and 40 episodes" in section


def test_a_beaten_bound_is_flagged(known, tmp_path):
    scores = known[0].scores.copy()
    scores.loc[(scores["run"] == "cvx") & (scores["episode"] == 0), "bound_holds"] = False
    page = rendered(known[0], tmp_path / "report.html", scores)
    assert '<tr class="wrong">' in page and "2 were beaten by an admissible fit" in page
    assert "CVX: 2 of 6 bounds beaten" in page


def test_the_report_of_a_study_without_truth_bounds_or_published_figures(unknown, tmp_path):
    """Nothing stands there that needs what the study lacks: no heading without a figure, and no word of published figures."""
    drawn = {name: figures.draw(name, unknown[0]) for name in figures.FIGURES}
    shown = [name for name, figure in drawn.items() if not isinstance(figure, figures.Nothing)]
    assert set(shown) == {"regret", "times", "starts"}
    page = rendered(unknown[0], tmp_path / "report.html", pictures=shown)
    assert "No truth is known for" in page and "policy KL" not in page
    assert "No run gave a lower bound." in page
    assert page.count("<figure ") == 3 and "Nothing to draw" not in page and 'id="corrections"' not in page
    front = (tmp_path / "report.html").read_text()
    assert "published median" not in front and "<th>published" not in page and "most accurate<" not in front
    check_links(tmp_path)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.00692123, "0.00692"),
        (0.9996, "1.00"),
        (12.345, "12.3"),
        (12345.6, "12\u202f300"),
        (-0.5, "−0.500"),
        (1.234e-7, "1.23 × 10⁻⁷"),
        (0, "0"),
        (np.nan, "–"),
        (-np.inf, "−∞"),
    ],
)
def test_numbers_have_three_significant_digits(number, text):
    assert wording.sig(number) == text


# A study of one's own data ---------------------------------------------------------------------------------------------

ODD = "$5_x^2 \\alpha\\frac{} 100 % <b>&amp; {x} ~ # a_b"


def own_label(results, label):
    how = {name: replace(entry, label=label, source="mine.csv") for name, entry in results.cases.items()}
    runs = [replace(run, entry=replace(run.entry, label=f"_{label}"), label=f"_{label}") for run in results.runs]
    named = {name: t.assign(label=f"_{label}") if "label" in t else t for name, t in results.tables.items()}
    return replace(results, cases=how, runs=runs, tables=named)


def test_a_relaxation_is_not_called_best_where_no_truth_is_known(runs, tmp_path):
    """Its kernels are not those of any parameters, and its nll lies below all of theirs."""
    how = cases_of({"tiny_3arm": catalogue.read_catalogue(CONFIG / "datasets.tsv")["tiny_3arm"]})
    data = small("tiny_3arm", "subrewards", 3, truth=None)
    results, fits = study([data], [run for run in runs if run.id in ("cvx", "d_loc.L-BFGS-B")], how)
    scores = results.scores.copy()
    scores.loc[scores["run"] == "cvx", "nll"] -= 30
    results = replace(results, scores=scores, tables=results.tables | {"summary": summaries.summarise(scores, results.runs)})
    page = rendered(results, tmp_path / "report.html", scores)
    opening = (tmp_path / "report.html").read_text().split("At a glance")[1]
    assert '100.0 %</b> <span class="unit">of episodes at the best likelihood known</span><br>D-LOC<' in opening
    table = page.split('id="data-tiny_3arm"')[1].split("</table>")[0]
    cvx = next(row for row in table.split("<tr>") if "CVX" in row)
    assert " ‡" in cvx and "best" not in cvx and "‡ Free kernels" in page


def test_a_data_set_with_few_people_is_not_called_cut(known, tmp_path):
    results, _ = known
    few = results.scores[(results.scores["dataset"] == "forgetting_2arm") | (results.scores["episode"] == 0)]
    assert "Some runs fit the first episodes" not in rendered(results, tmp_path / "few.html", few)
    cut = few[~((few["run"] == "d_loc.SLSQP") & (few["dataset"] == "forgetting_2arm") & (few["episode"] > 0))]
    page = rendered(results, tmp_path / "cut.html", cut)
    assert "their medians are of those: SLSQP 1 of 3 of forgetting, 2 arms." in page


def test_parameters_at_a_bound_or_not_identified_are_told_and_so_is_what_to_do(unknown, tmp_path):
    scores = unknown[0].scores.assign(
        at_bound="beta[reward,0]=20 beta[reward,2]=20", not_identified="alpha[reward,1] beta[reward,1]"
    )
    results = own_label(unknown[0], "my people")
    counts = summaries.outcomes(scores, results.runs).iloc[0]
    assert (counts["at_bound"], counts["at_bound_names"]) == (3, "beta[reward]=20 (3)")
    assert (counts["unidentified"], counts["unidentified_parameters"]) == (3, 6)
    page = rendered(results, tmp_path / "report.html", scores)
    told = page.split('id="known"')[1].split("<h2")[0]
    assert "my people: 3 of 3 fits of _my people ended with a parameter at a bound of the box: beta[reward]=20 (3)." in told
    assert "look at the units of the rewards" in told and "set the box" in told
    assert "Parameters that the scored choices say nothing of are not estimated: in up to 3 of 3 fits" in page


def test_fits_above_the_best_and_at_guessing_are_counted(unknown):
    scores = unknown[0].scores.copy()
    scores["regret"] = [0.0, 0.009, 0.011]
    scores["guessing"] = scores["nll"] + [1.0, 0.0, 0.0]
    counts = summaries.outcomes(scores, unknown[0].runs).iloc[0]
    assert counts[["estimates", "above", "guessing", "guessing_above"]].tolist() == [3, 1, 2, 1]


def test_scores_of_an_earlier_version_still_make_every_table_figure_and_page(known, tmp_path):
    results, _ = known
    lacking = ["has_parameters", "not_identified", "alpha_error_identified", "beta_error_identified", "guessing", "bounds"]
    lacking += ["rounding"]
    old = results.scores.drop(columns=lacking, errors="ignore")
    old["at_bound"] = old["at_bound"].astype(bool)
    counts = summaries.outcomes(old, results.runs)
    assert counts["guessing"].isna().all() and counts["at_bound"].equals(results.tables["outcomes"]["at_bound"])
    assert rendered(results, tmp_path / "report.html", old)
    figures.draw("recovery_beta", replace(results, scores=old))


def test_fits_outside_the_box_count_in_no_median(known):
    results, _ = known
    scores = results.scores.copy()
    away = (scores["run"] == "d_loc.SLSQP") & (scores["episode"] == 0)
    scores.loc[away, ["admissible", "outside"]] = [False, True]
    held = summaries.summarise(scores, results.runs).query("run == 'd_loc.SLSQP'").set_index(["dataset", "metric"])["n"]
    assert all(held[case.dataset, m] == 2 for case in results.cases for m in ("kl", "alpha_error", "beta_error", "nll"))
    assert all(held[case.dataset, "t_wall"] == 3 for case in results.cases)
    assert summaries.outcomes(scores, results.runs).query("run == 'd_loc.SLSQP'")["outside"].tolist() == [1, 1]


# Labels, colours and markers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kl", "regret", "solvers", "pareto_kl", "example", "recovery_alpha", "agreement"])
@pytest.mark.parametrize("label", [ODD, "a very long label that goes on " * 6, "y" * 300], ids=["odd", "long", "one word"])
def test_any_label_is_drawn_as_it_is(name, label, known, tmp_path):
    results = own_label(known[0], label)
    figures.save(figures.draw(name, results), tmp_path / "figure")
    words_drawn = "".join(ElementTree.parse(tmp_path / "figure.svg").getroot().itertext())
    if label == ODD and name not in ("recovery_alpha",):  # where labels are broken into short lines
        assert "$5_x^2" in words_drawn and "<b>&amp;" in words_drawn


def test_any_label_stands_in_the_page_as_it_is(known, tmp_path):
    page = rendered(own_label(known[0], ODD), tmp_path / "report.html")
    assert "$5_x^2 \\alpha\\frac{} 100 % &lt;b&gt;&amp;amp; {x} ~ # a_b" in page and "<b>&amp; {x}" not in page


def all_runs():
    known = entries.read_entries(CONFIG / "methods.tsv")
    return entries.main_runs(entries.expand(known, list(known), ["L-BFGS-B"]))


def pixels(png):
    return {tuple(colour) for colour in np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).reshape(-1, 4).tolist()}


def test_every_method_keeps_its_colour_in_every_format():
    """In the legend, among text and a crowd of shades; and in what an SVG holds as an image."""
    runs = all_runs()
    figure = Figure(figsize=(9, 4), layout="constrained")
    ax = figure.subplots()
    ax.imshow(np.random.default_rng(0).uniform(size=(40, 40, 3)), extent=(0, 40, 0, 40))  # more shades than a palette holds
    for k, run in enumerate(runs):
        ax.plot([k], [20], "o", color=run.entry.colour, markersize=6, rasterized=True)
    _style.legend(figure, [_style.method_dot(run.entry) for run in runs])
    wanted = {(*(round(255 * part) for part in to_rgb(run.entry.colour)), 255) for run in runs}
    assert len(wanted) == len(runs)
    assert wanted <= pixels(_files.png(figure))
    text = _files.svg(figure)
    assert all(run.entry.colour.lower() in text for run in runs)
    assert wanted <= set().union(*(pixels(base64.b64decode(held)) for held in re.findall(r'base64,([^"]+)"', text)))


# Machado, Oliveira & Fernandes 2009: what linear RGB becomes for those who lack the receptors for red, and for green.
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "full sight": np.eye(3).tolist(),
}
CLOSE = 20  # CIELAB units between colours that small marks must be apart to be told by colour alone


def seen(colour, sight):
    """CIELAB of a colour as it is seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    xyz = to_xyz @ np.clip(np.array(BLIND[sight]) @ linear, 0, 1) / [0.95047, 1.0, 1.08883]
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", BLIND)
def test_methods_of_like_colour_have_markers_of_their_own(sight):
    runs = all_runs()
    alike = [
        (one.entry.id, other.entry.id)
        for k, one in enumerate(runs)
        for other in runs[:k]
        if np.linalg.norm(seen(one.entry.colour, sight) - seen(other.entry.colour, sight)) < CLOSE
        and _style.marker_of(one.entry) == _style.marker_of(other.entry)
    ]
    assert alike == []


def test_a_method_has_one_marker_in_figure_and_legend(known):
    for name in ("regret", "solvers", "pareto_kl", "agreement", "example"):
        figure = figures.draw(name, known[0])
        looks = {run.entry.colour.upper(): _style.marker_of(run.entry) for run in known[0].runs}
        lines = [line for ax in figure.axes for line in ax.lines] + list(figure.legends[0].get_lines())
        marks = {(str(line.get_color()).upper(), line.get_marker()) for line in lines}
        found = {(colour, marker) for colour, marker in marks if colour in looks and marker not in ("None", "", "|", "_", None)}
        assert found and all(looks[colour] == marker for colour, marker in found), name
