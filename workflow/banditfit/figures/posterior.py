"""Posteriors: what their mean policy is worth, and whether Monte Carlo can be trusted."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from ..parameters import SYMBOLS
from ..study.cases import KEYS, key, of
from ..study.entries import main_runs
from ..study.results import Results
from ..study.scores import only
from ..tables import posterior
from . import chains
from ._style import (
    FAINT,
    INK,
    FigureSpec,
    Nothing,
    cases_in,
    dot,
    grid,
    label_of,
    legend,
    log_axis,
    marker_of,
    method_dot,
    panel_rows,
    runs_of,
    x_label,
)


def _mean_policy(results: Results) -> Figure:
    both = ["kl", "kl_mean_policy"]
    scores = only(results.scores, *both)
    scores = scores[(scores[both] > 0).all(axis=1)]
    runs = runs_of(main_runs(results.runs), scores)
    if not runs:
        return Nothing("no fit of this study has a mean policy and a known truth")
    cases = cases_in(results, scores)
    figure, panels = grid(results, cases, [2.6] * len(panel_rows(cases)))
    for case, ax in panels.items():
        found = of(scores, case)
        both = found[["kl", "kl_mean_policy"]].to_numpy()
        ends = [both.min() / 1.3, both.max() * 1.3]
        ax.plot(ends, ends, color=FAINT, linewidth=0.8, zorder=0)
        for run in runs:
            pairs = found[found["run"] == run.id]
            opacity = float(np.clip(60 / max(len(pairs), 1), 0.15, 0.7))
            how = {"color": run.entry.colour, "markersize": 3.0, "alpha": opacity, "markeredgewidth": 0, "rasterized": True}
            ax.plot(pairs["kl"], pairs["kl_mean_policy"], marker_of(run.entry), **how)
        ax.set_xlim(ends)
        ax.set_ylim(ends)
        log_axis(ax.xaxis)
        log_axis(ax.yaxis)
        ax.grid()
    x_label(panels, "KL of the policy of the mean parameters (nats)")
    for row in panel_rows(cases):
        panels[row[0]].set_ylabel("KL of the mean policy")
    legend(figure, [method_dot(run.entry) for run in runs])
    return figure


def _errors(results: Results) -> Figure:
    errors = posterior.errors(posterior.sampled(results))
    if errors.empty:
        return Nothing("this study has no episode fitted both by Monte Carlo and by quadrature")
    cases = cases_in(results, errors)
    figure, panels = grid(results, cases, [2.0] * len(panel_rows(cases)))
    fine = np.linspace(-4.5, 4.5, 200)
    edges = np.linspace(-4.5, 4.5, 31)
    colours = {"alpha": "#0072B2", "beta": "#D55E00"}
    for case, ax in panels.items():
        for parameter, colour in colours.items():
            found = of(errors, case)
            found = found[found["parameter"] == parameter]
            z = np.clip(found["z"], edges[0], edges[-1])  # what lies outside stands in the last bar
            ax.hist(z, bins=edges, density=True, histtype="step", color=colour, linewidth=1.4)
        ax.plot(fine, stats.norm.pdf(fine), color=INK, linewidth=0.9)
        for limit in posterior.LIMITS:
            for side in (-limit, limit):
                ax.axvline(side, color=FAINT, linewidth=0.6, linestyle=(0, (3, 2)))
        ax.set_yticks([])
        ax.set_title(f"n = {of(errors, case)['episode'].nunique()}", loc="right", fontsize=7.0, color=FAINT)
    x_label(panels, "(Monte Carlo mean − exact mean) / standard error")
    legend(figure, [dot(colour, SYMBOLS[name]) for name, colour in colours.items()])
    return figure


def _ranks(results: Results) -> Figure:
    if "calibration" not in results.tables:
        return Nothing("this study calibrates no sampler; key 'calibration' of its configuration asks for that")
    return chains.plot_ranks(results.tables["calibration"])


def _draws(results: Results) -> Figure:
    table = results.tables.get("draws")
    if table is None or table.empty:
        return Nothing("this study keeps no draws; key 'draws' of its configuration asks for some")
    first = table.groupby(KEYS, sort=False)[["run", "episode"]].transform("first")
    shown = table[(table["run"] == first["run"]) & (table["episode"] == first["episode"])]
    names = [f"{label_of(results, key(row))}, episode {row.episode}" for row in shown[[*KEYS, "episode"]].itertuples()]
    return chains.plot_draws(shown.assign(fit=names))


ORDER = 4
FIGURES = {
    "mean_policy": FigureSpec(
        _mean_policy,
        "The policy of the mean, or the mean of the policies?",
        "One point per fit: KL from the true policy of the policy that the mean parameters of the posterior give (horizontal),"
        " and of the mean of the choice probabilities (vertical). Below the diagonal the mean policy is closer to the truth.",
        section="posterior",
        variants=True,
    ),
    "mc_errors": FigureSpec(
        _errors,
        "Is Monte Carlo as exact as it says?",
        "Histogram over episodes of the error of each Monte Carlo mean, against quadrature, in its own standard errors; the"
        " curve is the normal density it should follow, and the dashed lines are the limits of the table.",
        section="posterior",
    ),
    "ranks": FigureSpec(
        _ranks,
        "Is the sampler calibrated?",
        "Where parameters drawn from the prior rank among draws of the posterior of the choices they made: flat if sampler and"
        f" likelihood are right. A bar lies in the grey band with a probability of {chains.BAND:.0%}. A hump means that"
        " posteriors are too wide, a dip too narrow, a slope too high or too low.",
        section="posterior",
    ),
    "draws": FigureSpec(
        _draws,
        "What do draws look like?",
        "One fit of each data set, its first arm: traces by chain, evenly thinned; how each chain's draws rank among those of"
        " all chains, as a share of what is expected (grey: where a bar of independent draws lies with a probability of"
        f" {chains.BAND:.0%}); and β against α, divergent draws crossed in red. Chains that have met overlap, and their"
        " ranks are flat.",
        section="posterior",
    ),
}
