"""Models as sums of terms: every composition against a recursion written out in plain Python, its derivatives against finite
differences, what is refused, and fits by every method that serves a model."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.data import stored
from banditfit.errors import InputError
from banditfit.identification import settle, silent
from banditfit.methods import REQUIREMENTS, get_method
from banditfit.methods import method_names as all_methods
from banditfit.models import likelihood
from banditfit.models.families import MODELS, PUBLISHED_MODELS, get_model, read_models
from banditfit.models.terms import TERMS, compose
from banditfit.report.served import served
from project import ROOT

VALUES = ["rescorla_wagner", "rescorla_wagner(arm)", "dual_rates", "forgetting", "forgetting(arm)", "forgetting(signal, arm)"]
MORE = ["unchosen_decay", "fictive", "sensitivities", "initial_value", "choice_kernel", "perseveration", "bias", "lapse"]


def compositions():
    """Every sum of a term for values and up to two more that the grammar allows, and one of nearly all."""
    for value in VALUES:
        for n in range(3):
            for more in itertools.combinations(MORE, n):
                text = " + ".join([value, *more])
                try:
                    compose(text)
                except InputError:
                    continue
                yield text
    yield "dual_rates + unchosen_decay + initial_value + choice_kernel + bias + lapse"
    yield "choice_kernel"
    yield "perseveration + bias"


COMPOSITIONS = list(compositions())


def hostile(n_arms=3, n_steps=60, seed=0, rewards=(-1.0, 0.0, 0.4, 1.0)):
    """An episode with graded outcomes, missed trials and two sessions."""
    rng = np.random.default_rng(seed)
    choices = rng.integers(-1, n_arms, size=(1, n_steps))
    starts = np.zeros((1, n_steps), dtype=bool)
    starts[0, n_steps // 2] = True
    return bf.Dataset("hostile", choices, rng.choice(rewards, size=(1, n_steps)), n_arms, starts=starts)


def people(n):
    recipe = {"p_reward": (0.8, 0.2), "p_switch": 0.02, "beta": ((2, 6),), "seed": 1}
    return bf.simulate("people", "forgetting", n_episodes=n, n_steps=100, **recipe)


def problem_of(text, data=None):
    data = hostile() if data is None else data
    model = get_model(text)
    return likelihood.problem(data, 0, model, data.bounds_of(model))


def inside(problem, seed=1):
    return np.random.default_rng(seed).uniform(problem.lower, problem.upper)


def written_out(text, data, parameters):
    """The nll of one episode, from the equations of docs/models.md and nothing of the package but the names of parameters."""
    terms = {part.split("(")[0].strip(): part for part in text.split("+")}
    get = lambda name, arm=0, signal=0: parameters[name][signal, arm if parameters[name].shape[1] > 1 else 0]  # noqa: E731
    m = data.n_arms
    signals = ["reward", "choice"] if "signal" in terms.get("forgetting", "") else ["reward"]
    start = get("initial_value") if "initial_value" in terms else 0.0
    nll = 0.0
    for t in range(data.n_steps[0]):
        if data.starts[0, t]:
            Q = {name: np.full(m, start if name == "reward" else 0.0) for name in ("reward", "choice", "gain", "loss")}
            C = np.zeros(m)
        y, r = data.choices[0, t], data.rewards[0, t]
        x = np.zeros(m)
        for i in range(m):
            if "sensitivities" in terms:
                x[i] += get("beta_reward") * Q["gain"][i] + get("beta_punish") * Q["loss"][i]
            elif "beta" in parameters:
                x[i] += sum(get("beta", i, s) * Q[name][i] for s, name in enumerate(signals))
            if "choice_kernel" in terms or "perseveration" in terms:
                x[i] += (get("beta_choice") if "choice_kernel" in terms else get("kappa")) * C[i]
            if "bias" in terms and i:
                x[i] += parameters["bias"][0, i - 1]
        if y >= 0:
            policy = np.exp(x - x.max()) / np.exp(x - x.max()).sum()
            eps = get("lapse") if "lapse" in terms else 0.0
            nll -= np.log((1 - eps) * policy[y] + eps / m)
        outcome = {"reward": r, "choice": 1.0, "gain": max(r, 0.0), "loss": min(r, 0.0)}
        for name in outcome:
            if "forgetting" in terms:
                for i in range(m):
                    a = get("alpha", i, signals.index(name)) if name in signals else get("alpha", i)
                    Q[name][i] += a * ((outcome[name] if i == y else 0.0) - Q[name][i])
            elif y >= 0 and name != "choice" and ("rescorla_wagner" in terms or "dual_rates" in terms):
                for i in range(m):
                    if i == y:
                        above = outcome[name] > Q[name][i]
                        a = get("alpha", i) if "alpha" in parameters else get("alpha_pos") if above else get("alpha_neg")
                        Q[name][i] += a * (outcome[name] - Q[name][i])
                    elif "unchosen_decay" in terms:
                        Q[name][i] -= get("alpha_forget") * Q[name][i]
                    elif "fictive" in terms:
                        Q[name][i] += get("alpha_fictive") * (-r - Q[name][i])
        a = get("alpha_choice") if "choice_kernel" in terms else 1.0
        for i in range(m):
            C[i] += a * ((1.0 if i == y else 0.0) - C[i])
    return nll


@pytest.mark.parametrize("text", COMPOSITIONS)
def test_the_likelihood_is_the_one_written_out(text):
    problem = problem_of(text)
    for seed in range(3):
        theta = inside(problem, seed)
        expected = written_out(text, hostile(), problem.named(theta))
        assert problem.nll_theta(theta) == pytest.approx(expected, rel=1e-12)
        assert problem.nll_of_values(problem.values_of(theta)) == pytest.approx(expected, rel=1e-12)
    for edge in (problem.lower, problem.upper):
        expected = written_out(text, hostile(), problem.named(edge))
        if np.isfinite(expected):
            assert problem.nll_theta(edge) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("text", ["forgetting", "subrewards", "dual_rates + unchosen_decay + choice_kernel + bias + lapse"])
def test_each_state_has_values_of_its_own(text, tmp_path):
    """As many agents as states, each of which sees the steps of one alone; values come back in the order of the data."""
    whole = hostile()
    states = np.random.default_rng(3).integers(3, size=whole.choices.shape)
    data = replace(whole, states=states)
    problem = problem_of(text, data)
    theta = inside(problem)
    x = problem.values_of(theta)
    total = 0.0
    for state in range(3):
        steps = np.flatnonzero(states[0] == state)
        sessions = np.cumsum(whole.starts[0])[steps]
        starts = np.append(True, np.diff(sessions) != 0)
        parts = {"choices": whole.choices[:, steps], "rewards": whole.rewards[:, steps], "starts": starts[None]}
        alone = problem_of(text, bf.Dataset("alone", n_arms=3, reward_scale=whole.reward_scale, **parts))
        np.testing.assert_allclose(x[steps], alone.values_of(theta), rtol=1e-12, atol=1e-12)
        total += alone.nll_theta(theta)
    assert problem.nll_theta(theta) == pytest.approx(total, rel=1e-12)
    assert problem.nll_of_values(x) == pytest.approx(total, rel=1e-12)
    one = problem_of(text, replace(whole, states=np.full_like(states, 7)))
    assert one.nll_theta(theta) == problem_of(text).nll_theta(theta)
    fits = bf.fit(data, text, "d_loc", settings={"starts": 1})
    assert bf.score(data, fits)["claim_held"].all()
    stored.save(data, tmp_path / "data.parquet")
    np.testing.assert_array_equal(stored.load(tmp_path / "data.parquet").states, states)
    (block,) = stored.data_blocks(tmp_path / "data.parquet", [range(1)])
    np.testing.assert_array_equal(block.states, states)
    np.testing.assert_array_equal(data.select([0]).states, states)


def test_states_are_read_from_a_column(tmp_path):
    path = tmp_path / "cues.csv"
    path.write_text("episode,choice,reward,state\n1,0,1,red\n1,1,0,blue\n1,0,1,red\n2,1,1,blue\n")
    data = bf.read_csv(path, n_arms=2)
    assert data.states.tolist() == [[0, 1, 0], [1, 0, 0]] and "2 states: 'red', 'blue'" in data.notes
    assert "2 states" in repr(data)
    path.write_text("episode,choice,reward,state\n1,0,1,red\n1,1,0,\n")
    with pytest.raises(InputError, match="row 3, column 'state': found '', expected the name of a state"):
        bf.read_csv(path, n_arms=2)
    with pytest.raises(InputError, match="state is 1.5, expected an integer of at least 0"):
        replace(hostile(), states=np.full((1, 60), 1.5))
    with pytest.raises(InputError, match="states have shape \\(1, 3\\), expected that of choices"):
        replace(hostile(), states=np.zeros((1, 3)))


@pytest.mark.parametrize("text", COMPOSITIONS)
def test_derivatives_are_those_of_finite_differences(text):
    problem = problem_of(text)
    theta = problem.lower + np.minimum(problem.upper - problem.lower, 3.0) * np.random.default_rng(2).uniform(
        0.2, 0.8, len(problem.lower)
    )
    nll, gradient = problem.nll_grad(theta)
    value, slope, hessian, fisher = problem.nll_hessian(theta)
    assert nll == pytest.approx(problem.nll_theta(theta), rel=1e-13) and value == pytest.approx(nll, rel=1e-13)
    np.testing.assert_allclose(slope, gradient, rtol=1e-9, atol=1e-9)
    step = 1e-6
    moved = [[problem.nll_grad(theta + sign * step * e) for e in np.eye(len(theta))] for sign in (1, -1)]
    by_value = [(a[0] - b[0]) / (2 * step) for a, b in zip(*moved, strict=True)]
    by_slope = [(a[1] - b[1]) / (2 * step) for a, b in zip(*moved, strict=True)]
    np.testing.assert_allclose(gradient, by_value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(hessian, by_slope, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-10)
    assert np.linalg.eigvalsh(fisher).min() > -1e-8


@pytest.mark.parametrize("text", COMPOSITIONS)
def test_rewards_in_other_units_change_the_units_of_parameters_alone(text):
    problem = problem_of(text)
    counted = hostile()
    counted = problem_of(text, replace(counted, rewards=8.0 * counted.rewards, reward_scale=None))
    scaled = counted.in_units(counted.own_unit())
    np.testing.assert_allclose(scaled.lower, problem.lower)
    np.testing.assert_allclose(scaled.upper, problem.upper)
    theta = inside(problem)
    assert scaled.nll_theta(theta) == problem.nll_theta(theta)
    back = theta * counted.model.scale(3, 1.0 / scaled.unit)
    assert counted.nll_theta(back) == pytest.approx(problem.nll_theta(theta), rel=1e-12)


def test_terms_are_written_in_one_order():
    assert compose("lapse+bias +  dual_rates")[0] == "dual_rates + bias + lapse"
    assert get_model("lapse + dual_rates").name == get_model("dual_rates + lapse").name == "dual_rates + lapse"
    assert get_model("forgetting( arm,signal )").kernels and get_model("subrewards").kernels
    names = get_model("dual_rates + choice_kernel + bias").parameter_names(3)
    assert names == ["alpha_pos", "alpha_neg", "alpha_choice", "beta", "beta_choice", "bias[1]", "bias[2]"]
    assert get_model("subrewards").parameter_names(2)[:3] == ["alpha[reward,0]", "alpha[reward,1]", "alpha[choice,0]"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rescorla_wagner + rescorla", "found 'rescorla', expected terms among forgetting, rescorla_wagner"),
        ("dual_rates + dual_rates", "found dual_rates twice"),
        ("forgetting + dual_rates", "found forgetting and dual_rates, expected one term"),
        ("lapse + bias", "found nothing that is learnt"),
        ("forgetting + unchosen_decay", "unchosen_decay: found no values of arms not chosen"),
        ("dual_rates + sensitivities", "sensitivities: found it where rewards are one signal"),
        ("choice_kernel + perseveration", "two forms of one thing"),
        ("dual_rates(arm)", "found dual_rates\\(arm\\), expected nothing in its brackets"),
        ("choice_kernel + initial_value", "initial_value: found it"),
        ("forgetting(arm, arm)", "each once"),
        ("", "expected terms among"),
    ],
)
def test_what_is_no_model_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        compose(text)
    with pytest.raises(InputError):
        get_model(text)


def test_bounds_are_given_by_name():
    data = hostile()
    fits = bf.fit(data, "dual_rates + bias", "d_loc", settings={"starts": 1}, bounds={"beta": (0, 3), "bias": (-0.1, 0.1)})
    found = fits["parameters"].iloc[0]
    assert found["beta"].item() <= 3.0 and np.abs(found["bias"]).max() <= 0.1
    assert bf.Bounds.read(fits["bounds"].iloc[0]).named()["bias"] == ((-0.1, 0.1),)
    counted = replace(data, rewards=10.0 * data.rewards, reward_scale=None)
    box = bf.Bounds.read(bf.fit(counted, "dual_rates", "d_loc", bounds={"alpha_pos": (0, 0.5)})["bounds"].iloc[0])
    assert box.named() == {"alpha_pos": ((0.0, 0.5),), "alpha_neg": ((0.0, 1.0),), "beta": ((0.0, 2.0),)}
    for bounds, words in [
        ({"gamma": (0, 1)}, "found 'gamma', expected parameters of 'dual_rates' \\(beta, alpha_pos, alpha_neg\\)"),
        ({"alpha_pos": (0, 2)}, "bounds of alpha_pos: found \\[0, 2\\], expected 0 <= lower <= upper <= 1"),
        ({"beta": (3, 1)}, "beta of signal 0: found \\[3, 1\\]"),
    ]:
        with pytest.raises(InputError, match=words):
            bf.fit(data, "dual_rates", "d_loc", bounds=bounds)


def test_the_table_of_models_is_checked(tmp_path):
    path = tmp_path / "models.tsv"
    head = "id\tterms\tlabel\tbounds\tcitation\n"
    path.write_text(head + 'mine\trescorla_wagner + bias\tmine\t{"beta": [0, 5]}\t-\n')
    assert read_models(path)["mine"].default_box(10.0).beta == ((0.0, 0.5),)
    for row, words in [
        ("Mine\tbias\tx\t-\t-", "row 2, column id: found 'Mine'"),
        ("mine\tq_learning\tx\t-\t-", "row 2: model 'q_learning': found 'q_learning'"),
        ("mine\tdual_rates\tx\t[0, 1]\t-", "row 2.*expected"),
        ('mine\tdual_rates\tx\t{"alpha": [0, 1]}\t-', "row 2: bounds: found 'alpha'"),
    ]:
        path.write_text(f"{head}{row}\n")
        with pytest.raises(InputError, match=words):
            read_models(path)


def test_what_the_choices_do_not_tell_is_not_identified():
    """Where there is no loss, the rate after losses; where there is no reward, the rates and their sensitivity."""
    data = bf.Dataset("gains", np.array([[0, 1, 0, 0, 1, 0]]), np.ones((1, 6)), 2)
    problem = problem_of("dual_rates + bias", data)
    names = np.array(problem.model.parameter_names(2))
    assert names[silent(problem)].tolist() == ["alpha_neg"]
    nothing = problem_of("dual_rates + bias", replace(data, rewards=np.zeros((1, 6)), reward_scale=None))
    assert names[silent(nothing)].tolist() == ["alpha_pos", "alpha_neg", "beta"]
    told, unidentified = settle(problem, np.array([0.5, 0.5, 0.0, 1.0]))
    assert names[unidentified].tolist() == ["alpha_pos", "alpha_neg"] and told[2] == 0.0
    told, unidentified = settle(problem, np.array([0.0, 0.5, 3.0, 1.0]))  # a rate of 0 is told as a weight of 0
    assert names[unidentified].tolist() == ["alpha_pos", "alpha_neg"] and told[2] == 0.0


@pytest.mark.parametrize("model", [name for name in MODELS if name not in PUBLISHED_MODELS])
@pytest.mark.parametrize("method", ["d_loc", "gem"])
def test_models_are_fitted_and_judged(model, method):
    data = people(4)
    fits = bf.fit(data, model, method)
    scores = bf.score(data, fits)
    assert set(fits["status"]) <= {"converged", "limit"} and scores["admissible"].all() and scores["claim_held"].all()
    assert (scores["nll"] <= scores["guessing"] + (2.0 if method == "gem" else 1e-9)).all()
    names = [parameter.name for parameter in get_model(model).parameters]
    assert all(list(found) == names for found in fits["parameters"])


def test_monte_carlo_serves_a_model_of_several_terms():
    data = people(1)
    fit = bf.fit(data, "dual_rates + perseveration + bias + lapse", "mc", settings={"draws": 200, "ess": 50}).iloc[0]
    assert fit["status"] == "converged" and set(fit["posterior"]) >= {"alpha_pos_lower", "bias_sd", "lapse_upper", "policy"}


def test_several_models_of_one_data_set_are_judged_together(tmp_path):
    data = hostile(n_arms=2)
    fits = [
        bf.fit(data, model, "d_loc", settings={"starts": 2}) for model in ("forgetting", "rescorla_wagner + bias", "per_arm")
    ]
    table = pd.concat(fits, ignore_index=True)
    scores = bf.score(data, table)
    assert scores["model"].tolist() == ["forgetting", "rescorla_wagner + bias", "per_arm"]
    assert (scores["regret"] == 0).all()
    bf.save_fits(table, tmp_path / "fits.parquet")
    again = bf.load_fits(tmp_path / "fits.parquet")
    for before, after in zip(table["parameters"], again["parameters"], strict=True):
        assert list(before) == list(after)
        for name in before:
            np.testing.assert_array_equal(before[name], after[name])
    pd.testing.assert_frame_equal(
        bf.score(data, again).drop(columns=["parameters", "starts"]), scores.drop(columns=["parameters", "starts"])
    )


@pytest.mark.parametrize("method", all_methods())
@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_served_or_refused_in_one_sentence(model, method):
    how, family = get_method(method), get_model(model)
    refusal = how.refusal(method, family)
    assert (refusal == "") == how.serves(family)
    if refusal:
        assert "\n" not in refusal and f"method '{method}' needs" in refusal and "d_loc" in refusal
        with pytest.raises(InputError, match=f"method '{method}' needs"):
            bf.fit(hostile(), model, method)
    if family.kernels and not {"one_pair", "one_kernel"} & set(how.requires):
        assert not refusal


def test_requirements_are_all_used():
    used = {requirement for method in all_methods() for requirement in get_method(method).requires}
    assert used == set(REQUIREMENTS) and len(TERMS) == 12


def test_the_docs_say_which_methods_serve_which_models():
    assert "\n".join(served()) in (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    terms = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    assert all(f"| `{term}` |" in terms for term in TERMS)


@pytest.mark.parametrize(
    "text", ["rescorla_wagner", "dual_rates", "rescorla_wagner + choice_kernel + bias", "perseveration + bias"]
)
def test_a_profile_is_no_worse_than_many_starts(text):
    data = people(6)
    profile, starts = bf.fit(data, text, "profile"), bf.fit(data, text, "d_loc", settings={"starts": 20})
    assert (profile["status"] == "converged").all()
    assert (profile["nll"] <= starts["nll"] + 1e-6).all()
