"""Published fits of real people and mice, reproduced where their data are at hand: in the folder that BANDITFIT_DATA names, or
in ../shared/data beside the project. Each has its own source, licence and model (docs/published_fits.md)."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

import banditfit as bf
from banditfit.comparison.selection import exceedances
from banditfit.gallery import DATA as WHERE
from banditfit.gallery import FOLDERS, published_fits, readers
from banditfit.models import likelihood
from banditfit.models.families import get_model
from project import ROOT

DATA = ROOT / WHERE


def needs(key):
    name = FOLDERS[key]
    there = (DATA / name).is_dir()
    return pytest.mark.skipif(
        not there, reason=f"{name} is neither in BANDITFIT_DATA nor beside the project, in ../shared/data"
    )


# ---- CBM's simulated people (github.com/payampiray/cbm): 40 x 100 trials x 2 arms, rewards -1 and 1 ----------------------

CBM = DATA / FOLDERS["cbm"]


def laplace(problem, n_rates):
    """The log joint density at its largest, and Laplace's log evidence, with a prior N(0, 6.25) on (logit rates, log beta)."""

    def down(u):
        theta = np.append(expit(u[:-1]), np.exp(u[-1]))
        nll, slope = problem.nll_grad(theta)
        chain = np.append(theta[:-1] * (1 - theta[:-1]), theta[-1])
        return nll + (u**2).sum() / 12.5 + len(u) / 2 * np.log(2 * np.pi * 6.25), slope * chain + u / 6.25

    ends = [
        minimize(down, np.append(np.full(n_rates, a), b), jac=True, method="BFGS", options={"gtol": 1e-7})
        for a in (-1.0, 1.0)
        for b in (0.0, 1.0)
    ]
    best = min(ends, key=lambda end: end.fun)
    step = 1e-5 * np.eye(n_rates + 1)
    curve = np.array([(down(best.x + each)[1] - down(best.x - each)[1]) / 2e-5 for each in step])
    return -best.fun, -best.fun + (n_rates + 1) / 2 * np.log(2 * np.pi) - np.linalg.slogdet(curve)[1] / 2


@needs("cbm")
@pytest.mark.parametrize(("name", "stored", "n_rates"), [("rescorla_wagner", "lap_RL", 1), ("dual_rates", "lap_dualRL", 2)])
def test_laplace_fits_of_cbm(name, stored, n_rates):
    data, model = readers.cbm(CBM), get_model(name)
    found = np.array(
        [laplace(likelihood.problem(data, row, model, data.bounds_of(model)), n_rates) for row in range(len(data))]
    )
    theirs, _ = readers.cbm_fits(CBM, stored)
    assert found[:, 0].sum() == pytest.approx(theirs.math.loglik.sum(), abs=1e-3)
    np.testing.assert_allclose(found[:, 0], theirs.math.loglik, rtol=0, atol=1e-4)
    # Their Hessians are by finite differences, with three parameters off by some thousandths in three people.
    assert found[:, 1].sum() == pytest.approx(theirs.output.log_evidence.sum(), abs=1e-3 if n_rates == 1 else 5e-3)
    np.testing.assert_allclose(found[:, 1], theirs.output.log_evidence, rtol=0, atol=1e-3 if n_rates == 1 else 5e-3)


@needs("cbm")
def test_exceedance_of_cbm():
    """The exceedance probabilities of its hierarchical fit, from the same Dirichlet."""
    theirs = readers.cbm_stored(CBM, "hbi_RL_dualRL").exceedance
    np.testing.assert_allclose(exceedances(theirs.alpha), theirs.xp, atol=1e-8)


@needs("cbm")
def test_hierarchical_inference_of_cbm():
    """Its run ended some twenty rounds from where nothing moves any more, which here costs .1 nats and .0006 of a frequency."""
    found = bf.hbi(readers.cbm(CBM), ["rescorla_wagner", "dual_rates"])
    theirs = readers.cbm_stored(CBM, "hbi_RL_dualRL")
    assert found.converged
    np.testing.assert_allclose(found.frequency, theirs.output.model_frequency, atol=1e-3)
    np.testing.assert_allclose(found.assigned, theirs.output.responsibility, atol=0.02)
    np.testing.assert_allclose(found.protected, theirs.exceedance.pxp, atol=1e-3)
    assert found.bound == pytest.approx(theirs.exceedance.L, abs=0.2)
    assert found.null_bound == pytest.approx(theirs.exceedance.L0, abs=0.2)
    np.testing.assert_allclose(found.groups["mean"], np.concatenate(theirs.output.group_mean), atol=0.02)
    np.testing.assert_allclose(found.groups["se"], np.concatenate(theirs.output.group_hierarchical_errorbar), atol=0.01)


# ---- Zorowitz, Solis, Niv & Bennett 2023 (doi 10.1038/s41562-023-01640-7): 386 people, 90 trials, 3 arms ----------------


@needs("zorowitz")
def test_people_of_zorowitz_are_fitted_as_well_as_ever():
    """At or below the best of eight local starts, all 90 trials in one go, beta in [0, 1000]."""
    data = readers.zorowitz(DATA / FOLDERS["zorowitz"])
    assert len(data) == 386 and data.scored.sum() == 34740
    fits = bf.fit(data, "forgetting", "profile", bounds={"alpha": (0, 1), "beta": (0, 1000)})
    judged = bf.score(data, fits)
    assert judged["guessing"].sum() == pytest.approx(38165.8, abs=0.1)
    assert judged["nll"].sum() <= 21600.54 + 0.005


# ---- Hattori's model on mice (github.com/hanhou/Dynamic-Foraging): sessions fitted alone --------------------------------

HOU = DATA / FOLDERS["hou"]


@needs("hou")
def test_no_session_of_a_mouse_is_worse_than_published():
    data = readers.mouse(HOU, "FOR14")
    fits = bf.fit(data, readers.HATTORI, "profile", bounds=readers.MOUSE_BOX)
    published = readers.mouse_fits(HOU)
    published = published[published["mice"] == "FOR14"].set_index("session_number")
    assert len(published) >= 3
    judged = bf.score(data, fits).set_index("id")
    for number, row in published.iterrows():
        assert judged.loc[str(number), "nll"] <= row["nll_published"] + 0.05, number


# ---- The gallery: published fits beside certified optima ----------------------------------------------------------------


@needs("bavard")
def test_the_fits_of_bavard_are_reproduced_and_one_is_no_optimum():
    (one,) = published_fits.SETS["bavard"][1](DATA / FOLDERS["bavard"])
    table = published_fits.people(one)
    assert (table["again"] - table["published"]).abs().max() < 1e-10
    assert len(table) == 20 and table["proved"].all() and (table["miss"] > -1e-9).all()
    assert table["miss"].max() == pytest.approx(0.0742, abs=1e-4)
    found = published_fits.summary(table).iloc[0]
    assert (found["proved"], found["optimal"]) == (20, 19)


@needs("hou")
def test_published_likelihoods_of_mice_are_those_of_our_models():
    """Two sessions: the optimum is at most as high as what was published, and one of these fits was no optimum."""
    sets = published_fits.SETS["hou"][1](DATA / FOLDERS["hou"])
    one = next(each for each in sets if (each.data.name, each.model) == ("FOR01", "rescorla_wagner + bias"))
    two = replace(one, data=one.data.select(one.data.episodes[:2].tolist()), published=one.published[:2])
    table = published_fits.people(two)
    assert table["miss"].tolist() == pytest.approx([0.0, 4.463], abs=1e-3)


@needs("hou")
def test_differential_evolution_of_mice_stops_early():
    """By SciPy's own rule, where the whole population does little better than guessing; a stricter one finds the optimum."""
    loose, strict = (published_fits.early_stops(DATA / FOLDERS["hou"], tolerance, 4) for tolerance in (0.01, 1e-6))
    assert loose.max() > 200 and strict.max() < 1e-2 and strict.min() > -1e-6


@needs("palminteri")
def test_people_of_palminteri_are_read_whole():
    data = [readers.palminteri(DATA / FOLDERS["palminteri"], name) for name in readers.CONFIRMATION]
    assert [len(each) for each in data] == [50, 35, 20]
    assert all(set(np.unique(each.rewards[each.choices >= 0])) <= {-1.0, 0.0, 1.0} for each in data)


def test_a_fit_that_misses_is_counted_as_one():
    data = bf.simulate("s", "forgetting", p_reward=(0.8, 0.2), p_switch=0.0, n_episodes=2, n_steps=40, seed=1, beta=((1, 4),))
    bounds = bf.Bounds((0, 1), ((0, 20),))
    one = published_fits.Fitted("mine", data, "forgetting", bounds, np.full(2, np.nan), np.array([[0.0, 0.0], [0.5, 2.0]]))
    table = published_fits.people(one)
    assert table["again"][0] == pytest.approx(40 * np.log(2)) and table["miss"][0] > 0.01 and table["proved"].all()
    found = published_fits.summary(table)
    assert found["optimal"][0] == int((table["miss"] <= published_fits.OPTIMAL).sum())
    assert published_fits.markdown(found)[-1].startswith("| mine | `forgetting` | 2 | 2 |")


def test_data_that_are_not_there_are_named(tmp_path):
    with pytest.raises(bf.InputError, match="found none of the folders bavard2018_contextual"):
        published_fits.report(tmp_path, tmp_path, ["bavard"])
    with pytest.raises(bf.InputError, match="found 'hu', expected some of bavard"):
        published_fits.report(tmp_path, tmp_path, ["hu"])
