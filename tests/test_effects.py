"""What is known of people and how it moves their parameters."""

import re

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.experiments import effects
from banditfit.models.simulate import simulate_population

EFFECT = {"alpha": 0.5, "beta": -0.4}  # of group on alpha, of age on beta


@pytest.fixture(scope="module")
def people():
    """Eighty people of 200 trials whose rates depend on their group, and whose sensitivities depend on their age."""
    rng = np.random.default_rng(3)
    group, age = rng.integers(0, 2, 80), rng.normal(40.0, 10.0, 80)
    mean = np.stack([-0.2 + EFFECT["alpha"] * group, 0.3 + EFFECT["beta"] * (age - 40.0) / 10.0], axis=1)
    alone = [simulate_population("one", ((1.0, tuple(m), (0.6, 0.6)),), 1, 200, rng) for m in mean]
    choices, rewards = (np.concatenate([getattr(one, field) for one in alone]) for field in ("choices", "rewards"))
    data = bf.Dataset("people", choices, rewards, 2, model="forgetting", bounds=alone[0].bounds)
    table = pd.DataFrame({"episode": data.ids, "group": np.where(group == 1, "patient", "control"), "age": age})
    return data, table


def by_name(found, parameter, term):
    row = found[found["parameter"].str.startswith(parameter) & found["term"].str.startswith(term)]
    return row.squeeze()


def test_effects_are_found_where_they_are_and_not_where_they_are_not(people):
    found = bf.group_effects(people[0], "forgetting", "group + age", people[1].sample(frac=1.0, random_state=1))
    assert len(found) == 4 and found["converged"].all()
    for parameter, term, true in (
        ("alpha", "group", 0.5),
        ("alpha", "age", 0.0),
        ("beta", "group", 0.0),
        ("beta", "age", -0.04),
    ):
        row = by_name(found, parameter, term)
        assert abs(row["effect"] - true) < 3.0 * row["se"]
        assert (row["p"] < 0.05) == (true != 0.0)
    row = by_name(found, "alpha", "group")
    assert row["low"] < row["effect"] < row["high"] and row["one_more"] > row["mean_person"]


def test_a_unit_of_a_covariate_is_a_unit(people):
    data, table = people
    years = bf.group_effects(data, "forgetting", "age", table)
    decades = bf.group_effects(data, "forgetting", "age", table.assign(age=table["age"] / 10.0 - 7.0))
    np.testing.assert_allclose(decades["effect"], 10.0 * years["effect"], rtol=1e-6)
    np.testing.assert_allclose(decades["mean_person"], years["mean_person"], rtol=1e-6)
    np.testing.assert_allclose(decades["p"], years["p"], rtol=1e-4, atol=1e-12)


def test_effects_do_not_depend_on_the_unit_of_rewards_and_serve_other_models(people):
    data, table = people
    cents = bf.Dataset("people", data.choices, 100.0 * data.rewards, 2)
    one, other = (
        bf.group_effects(each, "rescorla_wagner", "age", table)
        for each in (bf.Dataset("people", data.choices, data.rewards, 2), cents)
    )
    np.testing.assert_allclose(other["effect"], one["effect"], rtol=1e-6, atol=1e-9)
    beta = one["parameter"].str.startswith("beta")
    np.testing.assert_allclose(other["mean_person"][beta], one["mean_person"][beta] / 100.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("formula", "change", "words"),
    [
        ("age +", {}, "formula: found 'age +'"),
        ("height", {}, "height"),
        ("1", {}, "expected a term at least"),
        ("age - 1", {}, "with its intercept"),
        ("y ~ age", {}, "formula: found 'y ~ age'"),
        ("age + I(2 * age)", {}, "repeat each other"),
        ("age", {"age": 1.0}, "the same for everybody"),
        ("age", {"age": np.nan}, "age"),
        ("age", {"episode": "x"}, "episode 'x' twice"),
        ("age", {"episode": [str(j + 1) for j in range(80)]}, "episode '80' which the data do not have"),
    ],
)
def test_what_cannot_be_an_effect_is_one_sentence(people, formula, change, words):
    with pytest.raises(bf.InputError, match=re.escape(words)) as error:
        bf.group_effects(people[0], "forgetting", formula, people[1].assign(**change))
    assert "\n" not in str(error.value)


def test_a_person_without_a_row_is_named(people):
    with pytest.raises(bf.InputError, match="episode '79' missing"):
        bf.group_effects(people[0], "forgetting", "age", people[1].iloc[:-1])


def test_few_people_have_no_standard_errors(people):
    data, table = people
    few = bf.group_effects(data.select(range(6)), "forgetting", "age", table.iloc[:6])
    assert few["effect"].notna().all() and few["se"].isna().all() and few["p"].isna().all()


def test_the_online_mode_is_refused(people):
    with pytest.raises(bf.InputError, match="batch is 10, expected 0"):
        bf.group_effects(people[0], "forgetting", "age", people[1], settings={"batch": 10})


def test_the_table_of_effects_counts_intervals_and_tests():
    table = effects.calibrate(populations=2, people=20, steps=50)
    assert list(zip(table["parameter"], table["term"], strict=True)) == list(effects.EFFECTS)
    assert table["true"].tolist() == list(effects.EFFECTS.values()) and (table["n"] == 2).all()
    assert set(table["covered"]) | set(table["significant"]) <= {0.0, 0.5, 1.0} and (table["se"] > 0.0).all()
    again, _ = effects.simulated(20, 50, 1)
    assert (effects.simulated(20, 50, 1)[0].choices == again.choices).all()
