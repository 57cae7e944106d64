"""What is kept of the scores: every table and figure comes out of it, and it is small."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.study import compact, entries, store
from banditfit.tables import summaries


@pytest.fixture(scope="module")
def runs():
    listed = entries.read_entries(Path(__file__).parents[1] / "config/methods.tsv")
    return entries.expand(listed, ["d_loc", "quadrature"], ["L-BFGS-B", "Powell"])


@pytest.fixture(scope="module")
def scores(runs):
    data = bf.simulate(
        "tiny", "forgetting", p_reward=(0.8, 0.3), p_switch=0.05, n_episodes=4, n_steps=40, seed=3, beta=((0.0, 5.0),)
    )
    fits = []
    for run in runs:
        fitted = bf.fit(data, "forgetting", run.entry.method, settings=run.settings)
        fits.append(fitted.assign(run=run.id, machine="{}"))
    return bf.score(data, pd.concat(fits, ignore_index=True))


def test_tables_of_compact_scores_say_the_same(scores, runs):
    kept = compact.compact(scores, runs)
    for make in (summaries.summarise, summaries.attribute, summaries.compare, summaries.outcomes):
        pd.testing.assert_frame_equal(make(kept, runs), make(scores, runs), rtol=4e-3, atol=1e-8)
    fine = lambda t: summaries.summarise(t, runs).query("metric in ('kl', 'alpha_error', 'beta_error', 'regret', 'nll')")  # noqa: E731
    pd.testing.assert_frame_equal(fine(kept), fine(scores), rtol=3e-4, atol=1e-8)
    assert len(summaries.start_table(kept)) == len(summaries.start_table(scores)) > 0


def test_bounds_and_best_likelihoods_keep_every_bit_and_the_rest_is_rounded(scores, runs):
    kept = compact.compact(scores, runs)
    given = scores
    assert kept["best_nll"].equals(given["best_nll"]) and kept["lower_bound"].equals(given["lower_bound"])
    np.testing.assert_allclose(kept["regret"], given["regret"], rtol=2.0**-12, atol=1e-9)
    # As exact as a regret: what proves a fit optimal can be told from the bound and the nll.
    np.testing.assert_allclose(kept["nll"] - kept["best_nll"], given["regret"], rtol=2.0**-12, atol=1e-9)
    assert not set(compact.LEFT_OUT) & set(kept)
    assert (
        kept.loc[kept["run"] == "d_loc.Powell", "alpha"].isna().all()
        and kept.loc[kept["run"] != "d_loc.Powell", "alpha"].notna().all()
    )
    assert "policy" not in kept.loc[kept["run"] == "quadrature", "posterior"].iloc[0]


def test_what_is_stored_comes_back_and_compacting_again_changes_nothing(scores, runs, tmp_path):
    kept = compact.compact(scores, runs)
    compact.write_scores([kept.iloc[:5], kept.iloc[5:]], tmp_path / "scores.parquet")
    back = store.read_table(tmp_path / "scores.parquet")[list(kept)]
    pd.testing.assert_frame_equal(back, kept, check_dtype=False)
    pd.testing.assert_frame_equal(compact.compact(back, runs), back)
    stored = pd.read_parquet(tmp_path / "scores.parquet")  # which says each fact once
    assert stored.loc[stored["admissible"], "nll"].isna().all() and stored["alpha_error_identified"].isna().any()


def test_rounding_keeps_the_bits_it_says():
    values = np.array([0.0, 1.0, -2.5, np.pi, 1e-300, 1e300, np.nan, np.inf, -np.inf])
    near = compact.rounded(values, 12)
    np.testing.assert_allclose(near, values, rtol=2.0**-12)
    mantissas = np.ldexp(np.frexp(near[np.isfinite(near)])[0], 12)
    assert (mantissas == np.round(mantissas)).all() and (near[:3] == values[:3]).all()
