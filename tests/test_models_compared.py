"""The tables of models and people, made of scores."""

import numpy as np
import pandas as pd

import banditfit as bf
from banditfit.study.cases import cases_of
from banditfit.study.catalogue import Entry
from banditfit.tables.models import compared

MODELS = ["forgetting", "rescorla_wagner"]


def test_who_lacks_a_fit_of_a_model_is_in_no_sum():
    how = {"p_reward": (0.8, 0.2), "p_switch": 0.05, "n_episodes": 5, "n_steps": 40, "seed": 1, "beta": ((0, 5),)}
    data = bf.simulate("mine", "forgetting", **how)
    fits = pd.concat([bf.fit(data, model, "d_loc") for model in MODELS], ignore_index=True)
    scores = bf.score(data, fits).assign(run="d_loc")
    cases = cases_of({"mine": Entry("mine", "mine", None, None, "mine.csv", 2, 5, None)}, MODELS)
    whole, *_ = compared(scores, cases)
    lost = (scores["episode"] == 3) & (scores["model"] == "rescorla_wagner")
    scores.loc[lost, "admissible"], scores.loc[lost, ["nll", "regret"]] = False, np.nan
    models, terms, people = compared(scores, cases)
    assert whole["n_people"].eq(5).all() and models["n_people"].eq(4).all() and len(people) == 10
    assert models.set_index("model")["failed"].to_dict() == {"forgetting": 0, "rescorla_wagner": 1}
    assert models[["frequency", "protected", "bic"]].notna().all(axis=None)
    assert terms["term"].to_list() == ["forgetting"] and terms["n_models"].to_list() == [1]
    # With one model on either side families are the models themselves.
    np.testing.assert_allclose(terms["frequency"], models.set_index("model").loc["forgetting", "frequency"])
    kept = scores[(scores["episode"] != 3) & (scores["model"] == "forgetting")]
    np.testing.assert_allclose(models.set_index("model").loc["forgetting", "nll"], kept["nll"].sum())
