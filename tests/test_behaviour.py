"""What people do, by hand, and what agents do in their place."""

import pandas as pd
import pytest

import banditfit as bf
from test_compare import people


def measured(data, measure, **how):
    table = bf.behaviour(data, **how)
    return table[table["measure"] == measure].set_index("x")["mean"]


def test_staying_and_shifting_by_hand():
    """Two sessions; a pair does not reach across them, nor over a missed trial."""
    data = bf.Dataset("hand", [[0, 0, 1, -1, 1, 1]], [[1, 0, 1, 0, 0, 1]], 2, starts=[[True, False, False, False, True, False]])
    assert measured(data, "stay after win", lags=2).to_dict() == {1.0: 1.0, 2.0: 0.0}
    assert measured(data, "stay after loss", lags=2).to_dict() == {1.0: 0.5}
    assert measured(data, "reward", bins=2).to_dict() == {1.5: 0.5, 3.5: 1.0}
    # In the first session arm 1 brought most on average (1 against .5), in the second it is the only one.
    assert measured(data, "best", bins=4).to_dict() == {1.0: 0.5, 2.0: 0.5, 3.0: 1.0}


def test_trials_of_another_state_are_passed_over():
    data = bf.Dataset("states", [[0, 1, 0, 1]], [[1, 0, 1, 0]], 2, states=[[0, 1, 0, 1]])
    assert measured(data, "stay after win").to_dict() == {1.0: 1.0} == measured(data, "stay after loss").to_dict()
    forced = bf.Dataset("forced", [[0, 1, 1]], [[1, 1, 0]], 2, forced=[[False, True, False]])
    assert measured(forced, "stay after loss").empty and measured(forced, "stay after win").to_dict() == {1.0: 1.0, 2.0: 0.0}


def test_agents_of_the_right_model_behave_like_the_people():
    data = people(12, 150)
    fits = pd.concat([bf.fit(data, model, "profile") for model in ("rescorla_wagner", "choice_kernel")], ignore_index=True)
    told, again = bf.predicted_behaviour(data, fits, "arms"), bf.predicted_behaviour(data, fits, "arms")
    pd.testing.assert_frame_equal(told, again)
    off = {}
    for model, part in told.groupby("model"):
        part = part[part["measure"].isin(["stay after win", "stay after loss"])].set_index(["measure", "x"])["mean"]
        off[model] = (part - bf.behaviour(data).set_index(["measure", "x"])["mean"]).abs().mean()
    assert off["rescorla_wagner"] < off["choice_kernel"]


@pytest.mark.parametrize("missed", ["decay", "drop"])
def test_missed_trials_decay_or_are_dropped(missed):
    rows = ["a,1,0,1", "a,1,,", "a,2,,", "a,2,1,0", "b,1,1,1"]
    table = pd.DataFrame([row.split(",") for row in rows], columns=["episode", "session", "choice", "reward"])
    data = bf.from_frame(table, n_arms=2, missed=missed)
    if missed == "decay":
        assert data.choices.tolist() == [[0, -1, -1, 1], [1, -1, -1, -1]] and "traces decay over 2 missed trials" in data.notes
    else:
        assert data.choices.tolist() == [[0, 1], [1, -1]] and data.starts.tolist() == [[True, True], [True, False]]
        assert "2 missed trials dropped, as if there had been none" in data.notes
