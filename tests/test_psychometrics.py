"""Psychometrics: boards against published counts, values against value iteration, likelihoods and gradients against brute force
and finite differences, fits against players whose betas are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from banditfit import InputError
from banditfit import psychometrics as ps
from banditfit.outcome import STATUSES
from banditfit.psychometrics import boards, gem, mm, players, shared, values
from banditfit.psychometrics.fits import splits

# Xu & Ji, arXiv 2605.09305, Table 2.
COUNTS = {
    "tiny_cross": (22, 28),
    "big_cross": (153, 276),
    "big_l": (807, 2350),
    "diamond": (5923, 16788),
    "four_by_four": (9336, 31896),
}


@pytest.fixture(scope="module")
def tiny() -> ps.Board:
    return ps.board("tiny_cross")


@pytest.fixture(scope="module")
def played(tiny) -> ps.Logs:
    return ps.simulate(tiny, participants=60, games=30, seed=1)


def ring() -> ps.MDP:
    """Three states in a ring, which players can walk for ever, and a way out with a reward at the last."""
    return ps.MDP(
        name="ring",
        n_states=4,
        state=np.array([0, 0, 1, 1, 2, 2]),
        action=("stay", "on") * 3,
        source=np.array([0, 1, 1, 2, 3, 4, 5, 5]),
        target=np.array([0, 1, 0, 1, 2, 0, 3, 2]),
        chance=np.array([1.0, 0.8, 0.2, 1.0, 1.0, 1.0, 0.5, 0.5]),
        reward=np.array([-0.1, 0.0, 0.0, -0.1, 0.0, 0.0, 1.0, 0.0]),
        start=np.array([0]),
        gamma=0.9,
        max_steps=60,
    )


# Boards and processes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COUNTS)
def test_boards_have_the_published_numbers_of_positions_and_pairs(name):
    board = ps.board(name)
    assert (board.n_states, board.n_pairs) == COUNTS[name]


def walk(grid: frozenset, holes: frozenset, seen: dict) -> dict:
    """All positions from one, as sets of pegs, with their legal jumps."""
    if grid in seen:
        return seen
    ways = [
        ((i, j), (i + di, j + dj), (i + 2 * di, j + 2 * dj)) for i, j in grid for di, dj in ((0, 1), (1, 0), (0, -1), (-1, 0))
    ]
    seen[grid] = [way for way in ways if way[1] in grid and way[2] in holes - grid]
    for start, over, to in seen[grid]:
        walk(grid - {start, over} | {to}, holes, seen)
    return seen


@pytest.mark.parametrize("text", ["##.#\n.##.\nx#.x", "####.\n#.###", "#.#\n##.\n..#"])
def test_a_board_as_text_is_enumerated_as_by_brute_force(text):
    cells = {(i, j): cell for i, line in enumerate(text.split("\n")) for j, cell in enumerate(line)}
    pegs, holes = ({hole for hole, cell in cells.items() if cell in kinds} for kinds in ("#", "#."))
    seen = walk(frozenset(pegs), frozenset(holes), {})
    board = ps.board(text)
    assert (board.n_states, board.n_pairs) == (len(seen), sum(map(len, seen.values())))


@pytest.mark.parametrize(
    "text, words",
    [
        ("big_crosss", "board 'big_crosss': found no such name"),
        ("", "found no such name"),
        ("##.\n#o.", "row 2, column 2: found 'o'"),
        ("##.\n#.", "row 2: found 2 cells, expected 3"),
        ("#.#\n...", "start 1: found no legal jump"),
        ("###", "start 1: found no legal jump"),
        ("##.\n\nx##", "start 2: found other holes"),
        ("#########\n" * 7 + "########.\n", "found 72 holes, expected at most 64"),
    ],
)
def test_a_bad_board_is_refused_in_one_sentence(text, words):
    with pytest.raises(InputError) as error:
        ps.board(text)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_board_with_too_many_positions_is_refused(monkeypatch):
    monkeypatch.setattr(boards, "MAX_STATES", 1000)
    with pytest.raises(InputError, match="more than 1000 positions, expected fewer"):
        ps.board("xx###xx\nxx###xx\n#######\n###.###\n#######\nxx###xx\nxx###xx")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"chance": np.array([1.0, 0.8, 0.1, 1, 1, 1, 0.5, 0.5])}, "those of pair 1 sum to 0.9"),
        ({"target": np.array([0, 1, 0, 1, 2, 0, 4, 2])}, "target[6]: found 4, expected a whole number from 0 to 3"),
        ({"reward": np.zeros(3)}, "reward: found 3 entries, expected 8"),
        ({"state": np.array([0, 0, 1, 1, 2, 1])}, "state[5]: found a smaller number"),
        ({"action": ("on",) * 6}, "found the same action twice"),
    ],
)
def test_arrays_that_are_no_process_are_refused(change, words):
    fields = {name: getattr(ring(), name) for name in ring().__dataclass_fields__}
    with pytest.raises(InputError, match="MDP, argument"):
        ps.MDP(**fields | change)
    with pytest.raises(InputError) as error:
        ps.MDP(**fields | change)
    assert words in str(error.value)


def value_iteration(mdp: ps.MDP, value) -> np.ndarray:
    v = np.zeros(mdp.n_states)
    for _ in range(2000):
        q = np.zeros(mdp.n_pairs)
        for pair, target, chance, reward in zip(mdp.source, mdp.target, mdp.chance, mdp.reward, strict=True):
            q[pair] += chance * (reward + mdp.gamma * v[target])
        new = np.zeros(mdp.n_states)
        for state in np.unique(mdp.state):
            new[state] = value(q[mdp.state == state])
        if np.abs(new - v).max() < 1e-14:
            break
        v = new
    return q


def test_one_sweep_gives_what_value_iteration_gives(tiny):
    for mdp in (tiny, ps.two_step(), ring()):
        for swept, plain in (
            (values.hard, np.max),
            (values.soft(0.7), lambda q: 0.7 * np.log(np.exp(q / 0.7).sum())),
            (values.boltzmann(1.5), lambda q: np.exp(1.5 * q) @ q / np.exp(1.5 * q).sum()),
        ):
            found, _ = values.solve(mdp, swept, mdp.expected_reward)
            assert found == pytest.approx(value_iteration(mdp, plain), abs=1e-9)


def test_gradients_run_forward_through_the_sweep(tiny):
    rng = np.random.default_rng(0)
    slope, gain = rng.normal(size=tiny.n_pairs), rng.normal(size=tiny.n_pairs)
    q, _ = values.solve(tiny, values.soft(0.5), gain)
    found = values.gain_gradient(tiny, tiny.actions.softmax(q / 0.5)[1], slope)
    for k in range(tiny.n_pairs):
        ends = [
            values.solve(tiny, values.soft(0.5), gain + h * (np.arange(tiny.n_pairs) == k))[0] @ slope for h in (1e-5, -1e-5)
        ]
        assert found[k] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-8)


# Players --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generator", ["shared", "mdp_mm"])
def test_players_choose_by_their_policy(tiny, generator):
    logs = ps.simulate(tiny, participants=1, games=4000, generator=generator, mu=-0.5, sigma=0.0, seed=3)
    beta = np.exp(logs.truth["log_beta"])
    if generator == "shared":
        policy = tiny.actions.softmax(beta * logs.truth["advantages"])[1]
    else:
        policy = np.exp(mm.MeasurementModel(tiny, 0.0, 1.0).log_policy(beta))[:, 0]
    counts = logs.counts.toarray()[0]
    visits = tiny.actions.spread(tiny.actions.total(counts))
    error = (counts - visits * policy) / np.sqrt(np.maximum(visits * policy * (1 - policy), 1.0))
    assert np.abs(error).max() < 4.0
    assert counts.sum() == pytest.approx(4000 * tiny.visits(policy).sum(), rel=0.02)


def test_the_same_seed_gives_the_same_games_and_more_players_change_nothing(tiny):
    few, many, other = (ps.simulate(tiny, participants=n, games=3, seed=s) for n, s in ((4, 5), (40, 5), (4, 6)))
    assert np.array_equal(few.transition, many.transition[: len(few.transition)])
    assert np.array_equal(few.truth["log_beta"], many.truth["log_beta"][:4])
    assert not np.array_equal(few.truth["log_beta"], other.truth["log_beta"])


def test_logs_come_back_from_a_table_of_moves(tiny, played):
    for logs in (played, ps.simulate(ps.two_step(), participants=5, games=20), ps.simulate(ring(), participants=5, games=4)):
        table = logs.table()
        if not isinstance(logs.mdp, ps.Board):
            table["next_state"] = logs.mdp.target[logs.transition]
        back = ps.logs(logs.mdp, table.sample(frac=1.0, random_state=0).sort_index())
        assert np.array_equal(back.transition, logs.transition) and np.array_equal(back.participant, logs.participant)
    moves = ps.logs(tiny, played.table().drop(columns="state"))  # on a board with one start moves say all
    assert np.array_equal(moves.transition, played.transition)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"action": "9,9>9,7"}, "logs, row 1: found action '9,9>9,7' in state 0, expected one of"),
        ({"state": 3}, "logs, row 1: found state 3, expected a start, one of [0]"),
    ],
)
def test_a_move_that_is_none_is_refused(tiny, played, change, words):
    table = played.table().head(3).assign(**change)
    with pytest.raises(InputError) as error:
        ps.logs(tiny, table)
    assert words in str(error.value)


# The likelihood -------------------------------------------------------------------------------------------------------------


def test_likelihood_and_derivatives_are_those_of_brute_force(tiny, played):
    rng, played = np.random.default_rng(0), played.select(played.owner < 10)
    choices, A, z = players.Choices.of(played), rng.normal(size=tiny.n_pairs), rng.normal(size=10)
    brute = np.zeros(10)
    for j, pair in zip(played.participant, played.pair, strict=True):
        x = np.exp(z[j]) * A[tiny.state == tiny.state[pair]]
        brute[j] += np.exp(z[j]) * A[pair] - np.log(np.exp(x).sum())
    assert choices.log_likelihood(z, A) == pytest.approx(brute, rel=1e-10)
    h, b = 1e-4, np.exp(z)
    up, here, down = (choices.log_likelihood(z + step, A) for step in (h, 0.0, -h))
    _, D, W = choices.in_z(z, A)
    assert b * D == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-5)
    assert b * D - b**2 * W == pytest.approx((up - 2 * here + down) / h**2, rel=1e-3, abs=1e-3)


def test_climbs_end_at_the_modes_of_a_fine_grid(tiny, played):
    choices, A = players.Choices.of(played), played.truth["advantages"]
    z, V = players.modes(choices, A, 0.2, 2.0)
    grid = np.linspace(-6, 6, 2401)
    values_ = np.stack([choices.log_likelihood(np.full(60, at), A) - 0.5 * ((at - 0.2) / 2.0) ** 2 for at in grid])
    assert np.abs(z - grid[values_.argmax(axis=0)]).max() < 0.006 and (V > 0).all()


def test_the_log_posterior_is_not_concave_in_log_beta(tiny, played):
    """Where plain Newton steps would climb down: the reason for the safeguards."""
    _, D, W = players.Choices.of(played).in_z(np.full(60, -3.0), played.truth["advantages"])
    assert (np.exp(-3.0) * D - np.exp(-6.0) * W - 1 / 2.0**2 > 0).any()


# Identification -------------------------------------------------------------------------------------------------------------


def test_scale_and_levels_leave_the_likelihood_and_our_parameters_do_not_have_them(tiny, played):
    rng = np.random.default_rng(0)
    choices, q, z = players.Choices.of(played), rng.normal(size=tiny.n_pairs), rng.normal(size=60)
    level = rng.normal(size=tiny.n_states)[tiny.state]
    for k in (0.1, 1.0, 10.0):  # co-scaling, and a number per state
        assert choices.log_likelihood(z - np.log(k), k * q + level) == pytest.approx(choices.log_likelihood(z, q), rel=1e-9)
    scale = shared.Scale(tiny)
    A = scale.advantages(q)
    assert scale.advantages(7.0 * q + level) == pytest.approx(A, abs=1e-7)
    slope = choices.in_A(z, A)[1]
    of_q = scale.in_q(q, slope)
    assert abs(of_q @ q) < 1e-6 * np.abs(of_q).sum()  # no slope along the scale,
    assert np.abs(tiny.actions.total(of_q)).max() < 1e-9 * np.abs(of_q).sum()  # nor along any level


def test_information_has_a_zero_for_every_level_and_the_scale_and_none_in_our_parameters(tiny, played):
    found = ps.spectrum(played)
    choice = np.unique(players.Choices.of(played).pair)
    zeros = found.groupby("parameters")["zero"].sum()
    assert zeros["Q"] == len(np.unique(tiny.state[choice])) + 1 and zeros["A"] == 0
    assert (found["parameters"] == "A").sum() == (found["parameters"] == "Q").sum() - zeros["Q"]


def test_the_likelihood_is_flat_along_scale_and_levels_and_along_nothing_else(played):
    found = ps.directions(played)
    found = found[found["t"].abs() > 0.3].assign(raw=lambda table: table["raw"].abs(), ours=lambda table: table["ours"].abs())
    largest, least = (found.groupby("direction")[["raw", "ours"]].agg(how) for how in ("max", "min"))
    assert (largest.loc[["scale", "levels"], "raw"] < 1e-8).all() and (least.loc[["values", "betas"]] > 10.0).all(axis=None)
    # Through our scale a step in Q along either is no step, so that nothing but the betas of "scale" has moved.
    assert largest.loc["levels", "ours"] < 1e-4 and least.loc["scale", "ours"] > 10.0


def test_a_scale_per_state_leaves_no_grades_of_two_actions():
    mdp = ps.two_step()
    q = np.array([0.1, 0.0, 3.0, 0.0, 0.0, 9.0])
    assert shared.Scale(mdp, per_state=True).advantages(q) == pytest.approx([1, -1, 1, -1, -1, 1], rel=1e-4)
    assert len(set(np.abs(shared.Scale(mdp).advantages(q)).round(6))) == 3


# mdp_gem --------------------------------------------------------------------------------------------------------------------

VARIANTS = [
    {},
    {"scale": "per_state", "cql": 0.3},
    {"reward": "learnt", "reward_weight": 0.7},
    {"values": "features", "cql": 0.1, "reward": "learnt"},
]


TASKS = [("tiny_cross", settings) for settings in VARIANTS] + [("ring", settings) for settings in VARIANTS[:-1]]


@pytest.mark.parametrize("task, settings", TASKS)
def test_the_gradient_of_the_penalised_nll_is_that_of_finite_differences(task, settings):
    logs = ps.simulate(ring() if task == "ring" else ps.board(task), participants=8, games=5)
    goal = gem.objective(logs, gem.GemSettings(**settings), 0.4)
    rng = np.random.default_rng(0)
    x = goal.shared.start()
    x, z = x + 0.3 * rng.normal(size=len(x)), rng.normal(size=8)
    found = goal(x, z)[1]
    for k in range(len(x)):
        h = 1e-5 * (np.arange(len(x)) == k)
        slope = (goal(x + h, z)[0] - goal(x - h, z)[0]) / 2e-5
        assert found[k] == pytest.approx(slope, rel=1e-4, abs=1e-4 * np.abs(found).max())


def test_residuals_and_a_table_have_the_same_minimum(played):
    """Two parametrisations of one objective: x = delta, and x = Q."""
    found = []
    for kind in (None, "table"):
        goal = gem.objective(played, gem.GemSettings(m_steps=5000), 0.1)
        if kind:
            goal = gem.replace(goal, shared=shared.Shared(played.mdp, 1.0, sparse.eye_array(played.mdp.n_pairs, format="csr")))
        x, value = gem._improve(goal, goal.shared.start(), played.truth["log_beta"])
        found.append(value)
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_mdp_gem_recovers_beta_as_well_as_who_knows_the_advantages(played):
    fit = ps.fit(played)
    assert fit.status == "converged" and ps.recovery(fit)["rmse"] <= 1.05 * ps.oracle(played, 0.0, 0.75)["rmse"]
    assert list(fit.table.columns) == ["participant", "log_beta", "se", "lower", "upper", "status", "not_identified"]
    inside = (fit.table["lower"] < played.truth["log_beta"]) & (played.truth["log_beta"] < fit.table["upper"])
    assert inside.mean() > 0.88 and abs(fit.mu) < 0.3 and 0.5 < fit.sigma < 1.0
    assert fit.q.shape == (played.mdp.n_pairs,)
    assert fit.table.equals(ps.fit(played).table)


@pytest.mark.parametrize(
    "settings",
    [
        {"target": "frozen"},
        {"values": "features"},
        {"batch": 20, "rounds": 60},
        {"scale": "per_state"},
        {"reward": "learnt"},
        {"cql": 0.1},
    ],
)
def test_every_setting_tells_who_is_decisive(played, settings):
    fit = ps.fit(played, settings={"bellman": 1.0} | settings)
    assert np.corrcoef(fit.table["log_beta"], played.truth["log_beta"])[0, 1] > 0.9


def test_sigma_collapses_without_second_moments(tiny):
    thin = ps.simulate(tiny, participants=60, games=2, seed=2)
    sigma = [ps.fit(thin, settings={"bellman": 10.0, "moments": moments}).sigma for moments in ("hard", "quadrature")]
    assert sigma[0] < 0.5 * sigma[1]


def test_the_penalised_nll_never_rises_in_an_m_step(played):
    for target in ("full", "frozen"):
        goal = gem.objective(played, gem.GemSettings(target=target, m_steps=3), 0.01)
        x, z = goal.shared.start(), played.truth["log_beta"]
        x = x + np.random.default_rng(0).normal(size=len(x))
        for _ in range(4):
            before = goal(x, z)[0]
            x, _ = gem._improve(goal, x, z)
            assert goal(x, z)[0] <= before


def test_a_participant_without_a_choice_is_not_identified(tiny, played):
    """On this board some positions leave one jump: whoever saw only such ones told nothing."""
    mdp = ps.two_step()
    arrays = {name: getattr(mdp, name) for name in mdp.__dataclass_fields__} | {"start": np.array([0, 5])}
    extra = {
        "n_states": 6,
        "state": np.r_[mdp.state, 5],
        "action": (*mdp.action, "only"),
        "source": np.r_[mdp.source, 6],
        "target": np.r_[mdp.target, 4],
        "chance": np.r_[mdp.chance, 1.0],
        "reward": np.r_[mdp.reward, 0.0],
    }
    mdp = ps.MDP(**arrays | extra)
    table = ps.simulate(mdp, participants=6, games=20).table()
    table = table[(table["participant"] > 0) | (table["state"] == 5)]
    table["next_state"] = np.where(table["state"] == 5, 4, np.nan)
    after = table["state"].shift(-1)
    table["next_state"] = np.where(table["state"] == 0, after, np.where(table["state"] == 5, 4, 3)).astype(int)
    fit = ps.fit(ps.logs(mdp, table), settings={"bellman": 1.0})
    assert fit.table["not_identified"].tolist() == ["log_beta"] + [""] * 5 and set(fit.table["status"]) <= set(STATUSES)
    assert fit.table.loc[0, ["log_beta", "se", "lower", "upper"]].isna().all()


# Peers ----------------------------------------------------------------------------------------------------------------------


def test_mdp_mm_wins_on_its_own_players_and_its_marginal_never_falls(tiny):
    logs = ps.simulate(tiny, participants=60, games=30, generator="mdp_mm", seed=1)
    own, other = ps.fit(logs, method="mdp_mm"), ps.fit(logs, method="mdp_gem", settings={"bellman": 1.0})
    assert ps.recovery(own)["rmse"] < ps.recovery(other)["rmse"] and abs(own.mu) < 0.3
    assert (np.diff(own.trace) > -1e-9).all()


def test_mdp_mm_sums_over_the_same_density_as_brute_force(tiny):
    logs = ps.simulate(tiny, participants=3, games=10, generator="mdp_mm")
    nodes, L = mm.likelihoods(logs)
    model = mm.MeasurementModel(tiny, 0.0, 1.0)
    for k in (100, 307, 455):
        assert L[:, k] == pytest.approx(model.log_likelihood(logs, np.full(3, nodes[k])), abs=2e-3)


def test_without_a_prior_who_never_errs_has_no_estimate(tiny):
    logs = ps.simulate(tiny, participants=20, games=10, mu=1.0, sigma=1.5, seed=4)
    fit = ps.fit(logs, method="no_prior", settings={"bellman": 100.0})
    separable = fit.table["status"] == "separable"
    assert separable.any() and fit.status == "converged"
    choices, A = players.Choices.of(logs), logs.truth["advantages"].round(3)  # in which moves that mirror each other are equal
    never = choices.always_best(A)
    far, farther = (choices.log_likelihood(np.full(20, z), A) for z in (3.0, 5.0))
    assert never.any() and np.array_equal(never, farther > far - 1e-9)
    assert (fit.table["log_beta"].isna() == separable).all() and (fit.table["se"].isna() == separable).all()


def test_without_a_prior_the_profiled_minimum_is_that_of_all_parameters_together(tiny):
    """No step in any z, nor in x, makes the penalised nll smaller."""
    logs = ps.simulate(tiny, participants=8, games=40, seed=2)
    fit = ps.fit(logs, method="no_prior", settings={"bellman": 1.0})
    choices, z = players.Choices.of(logs), fit.table["log_beta"].to_numpy()
    told = np.isfinite(z)
    _, D, _ = choices.in_z(np.where(told, z, 0.0), fit.advantages)
    assert np.abs(np.exp(z[told]) * D[told]).max() < 1e-3 and fit.trace[1] < fit.trace[0]


def test_unknown_settings_and_methods_are_refused(played):
    with pytest.raises(InputError, match="settings of method 'mdp_gem'"):
        ps.fit(played, settings={"belman": 1.0})
    with pytest.raises(InputError, match="found 'gem', expected one of 'mdp_gem'"):
        ps.fit(played, method="gem")
    with pytest.raises(InputError, match="at least 3 of at least 4; give settings bellman a number"):
        ps.fit(played.select(played.owner < 3))


# Boards that are too large --------------------------------------------------------------------------------------------------


def test_a_board_that_cannot_be_enumerated_is_fitted_by_features():
    """The visited part of a board, as if the whole were too large."""
    whole = ps.simulate(ps.board("big_cross"), participants=40, games=20, seed=2)
    part = ps.logs(boards.BOARDS["big_cross"], whole.table().drop(columns="state"))
    assert part.mdp.n_states < whole.mdp.n_states and not part.mdp.known.all()
    fit = ps.fit(part, settings={"values": "features", "bellman": 1.0})
    assert np.corrcoef(fit.table["log_beta"], whole.truth["log_beta"])[0, 1] > 0.8
    with pytest.raises(InputError, match="only a part of which is known"):
        ps.fit(part, settings={"bellman": 1.0})


def test_games_are_scored(tiny):
    logs = ps.simulate(tiny, participants=30, games=20, sigma=1.5)
    scores = logs.scores()
    assert isinstance(scores, pd.DataFrame) and (scores["games"] == 20).all()
    assert np.corrcoef(scores["solved"], logs.truth["log_beta"])[0, 1] > 0.7


# Outputs ---------------------------------------------------------------------------------------------------------------------


def test_influences_sum_to_what_the_prior_holds_back(played):
    fit = ps.fit(played, settings={"bellman": 1.0})
    total = ps.influence(fit).groupby("participant")["influence"].sum()
    z, V = players.modes(players.Choices.of(played), fit.advantages, fit.mu, fit.sigma)
    assert total.to_numpy() == pytest.approx(V * (z - fit.mu) / fit.sigma**2, abs=1e-3)
    by_step = ps.influence_by_step(fit)
    assert by_step["step"].tolist() == list(range(1, by_step["step"].max() + 1)) and (by_step["all"] >= 0).all()
    with pytest.raises(InputError, match="found a fit of mdp_mm"):
        ps.influence(ps.fit(played, method="mdp_mm"))


def test_held_out_choices_prefer_the_model_that_made_them(played, tiny):
    methods = {"mdp_gem": {"bellman": 10.0}, "mdp_mm": {}}
    assert ps.held_out(played, methods).set_index("method")["nll"].idxmin() == "mdp_gem"
    own = ps.simulate(tiny, participants=60, games=30, generator="mdp_mm", seed=2)
    assert ps.held_out(own, methods).set_index("method")["nll"].idxmin() == "mdp_mm"


def test_held_out_participants_have_no_part_in_what_is_shared(played):
    folds = splits(played, np.random.default_rng(0))
    assert sorted(j for fold in folds for j in fold.first.ids) == played.ids.tolist()
    for fold in folds:
        assert not set(fold.train.ids) & set(fold.first.ids) and np.array_equal(fold.first.ids, fold.last.ids)
        assert len(fold.first.owner) + len(fold.last.owner) + len(fold.train.owner) == len(played.owner)


def test_decisive_players_play_well(played):
    assert (ps.validity(ps.fit(played, settings={"bellman": 1.0}))["spearman"] > 0.5).all()
