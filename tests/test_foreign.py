"""Published fits of real people and mice, reproduced where their data are at hand: in the folder that BANDITFIT_DATA names, or
in ../shared/data beside the project. Each has its own source, licence and model."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat
from scipy.optimize import minimize
from scipy.special import expit

import banditfit as bf
from banditfit.comparison.selection import exceedances
from banditfit.models import likelihood
from banditfit.models.families import get_model
from project import ROOT

DATA = Path(os.environ.get("BANDITFIT_DATA", ROOT.parent / "shared/data"))


def needs(name):
    there = (DATA / name).is_dir()
    return pytest.mark.skipif(
        not there, reason=f"{name} is neither in BANDITFIT_DATA nor beside the project, in ../shared/data"
    )


# ---- CBM's simulated people (github.com/payampiray/cbm): 40 x 100 trials x 2 arms, rewards -1 and 1 ----------------------

CBM = DATA / "fixture_cbm_simulated"


def cbm():
    people = loadmat(CBM / "all_data.mat", squeeze_me=True)["data"]
    rows = [
        pd.DataFrame({"subject": k, "actions": one["actions"].item(), "outcome": one["outcome"].item()})
        for k, one in enumerate(people)
    ]
    return bf.from_frame(pd.concat(rows), n_arms=2, preset="cbm")


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


@needs("fixture_cbm_simulated")
@pytest.mark.parametrize(("name", "stored", "n_rates"), [("rescorla_wagner", "lap_RL", 1), ("dual_rates", "lap_dualRL", 2)])
def test_laplace_fits_of_cbm(name, stored, n_rates):
    data, model = cbm(), get_model(name)
    found = np.array(
        [laplace(likelihood.problem(data, row, model, data.bounds_of(model)), n_rates) for row in range(len(data))]
    )
    theirs = loadmat(CBM / f"{stored}.mat", squeeze_me=True, struct_as_record=False)["cbm"]
    assert found[:, 0].sum() == pytest.approx(theirs.math.loglik.sum(), abs=1e-3)
    np.testing.assert_allclose(found[:, 0], theirs.math.loglik, rtol=0, atol=1e-4)
    # Their Hessians are by finite differences, with three parameters off by some thousandths in three people.
    assert found[:, 1].sum() == pytest.approx(theirs.output.log_evidence.sum(), abs=1e-3 if n_rates == 1 else 5e-3)
    np.testing.assert_allclose(found[:, 1], theirs.output.log_evidence, rtol=0, atol=1e-3 if n_rates == 1 else 5e-3)


@needs("fixture_cbm_simulated")
def test_exceedance_of_cbm():
    """The exceedance probabilities of its hierarchical fit, from the same Dirichlet."""
    theirs = loadmat(CBM / "hbi_RL_dualRL.mat", squeeze_me=True, struct_as_record=False)["cbm"].exceedance
    np.testing.assert_allclose(exceedances(theirs.alpha), theirs.xp, atol=1e-8)


@needs("fixture_cbm_simulated")
def test_hierarchical_inference_of_cbm():
    """Its run ended some twenty rounds from where nothing moves any more, which here costs .1 nats and .0006 of a frequency."""
    found = bf.hbi(cbm(), ["rescorla_wagner", "dual_rates"])
    theirs = loadmat(CBM / "hbi_RL_dualRL.mat", squeeze_me=True, struct_as_record=False)["cbm"]
    assert found.converged
    np.testing.assert_allclose(found.frequency, theirs.output.model_frequency, atol=1e-3)
    np.testing.assert_allclose(found.assigned, theirs.output.responsibility, atol=0.02)
    np.testing.assert_allclose(found.protected, theirs.exceedance.pxp, atol=1e-3)
    assert found.bound == pytest.approx(theirs.exceedance.L, abs=0.2)
    assert found.null_bound == pytest.approx(theirs.exceedance.L0, abs=0.2)
    np.testing.assert_allclose(found.groups["mean"], np.concatenate(theirs.output.group_mean), atol=0.02)
    np.testing.assert_allclose(found.groups["se"], np.concatenate(theirs.output.group_hierarchical_errorbar), atol=0.01)


# ---- Zorowitz, Solis, Niv & Bennett 2023 (doi 10.1038/s41562-023-01640-7): 386 people, 90 trials, 3 arms ----------------

ZOROWITZ = DATA / "zorowitz2023_3arm"


@needs("zorowitz2023_3arm")
def test_people_of_zorowitz_are_fitted_as_well_as_ever():
    """At or below the best of eight local starts, all 90 trials in one go, beta in [0, 1000]."""
    table = pd.read_csv(ZOROWITZ / "data.csv")
    analysed = (ZOROWITZ / "analysed_subjects.txt").read_text().split()
    table = table[table["subject"].astype(str).isin(analysed)]
    columns = {"episode": "subject", "reward": "outcome", "session": None, "step": None}
    data = bf.from_frame(table, n_arms=3, columns=columns)
    assert len(data) == 386 and data.scored.sum() == 34740
    fits = bf.fit(data, "forgetting", "profile", bounds={"alpha": (0, 1), "beta": (0, 1000)})
    judged = bf.score(data, fits)
    assert judged["guessing"].sum() == pytest.approx(38165.8, abs=0.1)
    assert judged["nll"].sum() <= 21600.54 + 0.005


# ---- Hattori's model on mice (github.com/hanhou/Dynamic-Foraging): sessions fitted alone --------------------------------

HOU = DATA / "hou_mouse_foraging"
HATTORI = "dual_rates + unchosen_decay + bias"
BOX = {"alpha_pos": (0, 1), "alpha_neg": (0, 1), "alpha_forget": (0, 1), "beta": (1 / 15, 100), "bias": (-5, 5)}


def mouse(name):
    """The sessions of a mouse; ignored trials are dropped, as in the published fits."""
    held = np.load(HOU / f"{name}.npz")
    table = pd.DataFrame({"episode": held["session"], "choice": held["choice"], "reward": held["reward"] > 0})
    return bf.from_frame(table[table["choice"] > 0], n_arms=2, first_arm=1, name=name)


@needs("hou_mouse_foraging")
def test_no_session_of_a_mouse_is_worse_than_published():
    data = mouse("FOR14")
    fits = bf.fit(data, HATTORI, "profile", bounds=BOX)
    published = pd.read_csv(HOU / "published_fits_hattori_bias.csv")
    published = published[published["mice"] == "FOR14"].set_index("session_number")
    assert len(published) >= 3
    judged = bf.score(data, fits).set_index("id")
    for number, row in published.iterrows():
        assert judged.loc[str(number), "nll"] <= row["nll_published"] + 0.05, number
