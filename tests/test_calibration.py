"""Calibration by simulation: the test of uniformity, and truths in posteriors of simulated people."""

import numpy as np
import pandas as pd
import pytest

from banditfit.benchmark import calibration
from banditfit.experiments import posterior_calibration
from banditfit.experiments.posterior_calibration import _share_below, of_chains, of_effects, of_population, summary
from banditfit.figures.calibration import plot_calibration
from banditfit.models.families import get_model


def table(u):
    """u (populations, people) as a table."""
    number = np.repeat(np.arange(len(u)), u.shape[1])
    return pd.DataFrame({"method": "m", "model": "forgetting", "parameter": "alpha", "population": number, "u": u.ravel()})


def correlated(rng, width=1.0, populations=60, people=10):
    """Places of truths in posteriors `width` times as wide as they should be, whose populations each err by something."""
    from scipy.special import ndtr

    z = np.sqrt(0.3) * rng.standard_normal((populations, 1)) + np.sqrt(0.7) * rng.standard_normal((populations, people))
    return table(ndtr(z / width))


def test_uniform_places_pass_as_often_as_they_should_and_others_do_not():
    rng = np.random.default_rng(0)
    p = np.array([summary(correlated(rng), seed)["p"].iloc[0] for seed in range(100)])
    assert 0.01 < (p < 0.05).mean() < 0.12 and 0.4 < p.mean() < 0.6
    for width, covered in ((0.7, 0.83), (1.4, 0.994)):
        row = summary(correlated(rng, width)).iloc[0]
        assert row["p"] < 0.01 and abs(row["covered_95"] - covered) < 4 * row["se_95"]


def test_errors_are_those_of_means_over_populations():
    rng = np.random.default_rng(1)
    found = pd.concat([summary(correlated(rng)) for _ in range(100)])
    for level in (50, 80, 95):
        assert found[f"covered_{level}"].std() == pytest.approx(found[f"se_{level}"].mean(), rel=0.25)
        assert found[f"covered_{level}"].mean() == pytest.approx(level / 100, abs=0.01)


def test_the_limits_of_an_interval_lie_where_they_say():
    family = get_model("forgetting")
    lower, upper = np.array([0.0, 0.0]), np.array([1.0, 5.0])
    from scipy.special import ndtr

    m, sd, skewness = np.array([0.2, -0.5]), np.array([0.3, 0.6]), np.array([0.8, -0.4])
    quantile = lambda z: m + sd * (z + (z**2 - 1.0) * skewness / 6.0)  # noqa: E731
    at = {what: lower + (upper - lower) * ndtr(quantile(z)) for what, z in (("lower", -1.96), ("median", 0.0), ("upper", 1.96))}
    posterior = {f"{name}_{what}": value[k] for what, value in at.items() for k, name in enumerate(("alpha", "beta"))}
    for z in (-1.96, -1.0, 0.0, 0.5, 1.96):
        np.testing.assert_allclose(_share_below(quantile(z), posterior, family, lower, upper), ndtr(z), atol=2e-5)
    assert np.isnan(_share_below(m, None, family, lower, upper)).all()


def test_what_was_simulated_is_kept_and_printed(tmp_path, capsys, monkeypatch):
    parts = {
        "gem": (1, lambda numbers: of_population("gem", "forgetting", numbers, size=5, steps=40)),
        "effects": (2, lambda numbers: of_effects(numbers, size=20, steps=20)),
    }
    first = calibration.places(2, tmp_path, parts)
    assert first.groupby("method").size().to_dict() == {"effects": 16, "gem": 20}
    assert first["u"].between(0.0, 1.0).all()
    pd.testing.assert_frame_equal(
        calibration.places(2, tmp_path, {name: (times, None) for name, (times, _) in parts.items()}), first
    )  # nothing is made again
    monkeypatch.setattr(calibration, "PARTS", parts)
    monkeypatch.setattr(calibration.places, "__defaults__", (parts,))
    calibration.report(2, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 + 4 and lines[2].startswith("| gem | forgetting | alpha[reward] | 10 | 0 |")
    assert (tmp_path / "calibration.svg").stat().st_size > 1000
    assert len(plot_calibration(first).axes) == 2


def test_ranks_among_draws_are_places_within_them(monkeypatch):
    """A truth below all of 99 draws lies in the lowest hundredth."""
    ranks = pd.DataFrame({"parameter": ["alpha reward all", "beta reward all"], "episode": 3, "rank": [0, 99]})
    monkeypatch.setattr(posterior_calibration, "calibrate", lambda model, *, episodes, n_episodes, **how: ranks)
    found = of_chains([3])
    assert found["parameter"].tolist() == ["alpha", "beta"] and found["population"].tolist() == [3, 3]
    assert 0.0 <= found["u"][0] < 0.01 and 0.99 <= found["u"][1] < 1.0


def test_a_population_is_the_same_whatever_is_made_with_it():
    some, one = (of_population("gem", "forgetting", numbers, size=3, steps=20) for numbers in ([4, 5], [5]))
    pd.testing.assert_frame_equal(some[some["population"] == 5].reset_index(drop=True), one)
    assert posterior_calibration.of_effects([1], size=20, steps=20)["parameter"].tolist() == [
        "alpha by group", "alpha by age", "beta by group", "beta by age"
    ]  # fmt: skip
