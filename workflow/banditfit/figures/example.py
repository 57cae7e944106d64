"""One episode, step by step."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..identification import complete
from ..models import likelihood
from ..models.families import get_model
from ..models.likelihood import log_policy
from ..study.cases import of, own
from ..study.entries import main_runs
from ..study.results import Results
from ._style import INK, FigureSpec, Nothing, cases_in, label_of, legend, line_of, run_handles, width, widths


def _example(results: Results) -> Figure:
    cases = [case for case in cases_in(results, results.examples) if results.first[case.dataset].truth is not None]
    if not cases:
        return Nothing("no data set of this study has a known truth")
    case = min(cases, key=lambda case: (results.first[case.dataset].n_arms, not own(case, results.cases[case])))
    fits = of(results.examples, case)
    data = results.first[case.dataset].select([int(fits["episode"].iloc[0])])
    model = get_model(case.model)
    problem = likelihood.problem(data, 0, model, data.bounds_of(model))
    arms, steps = data.n_arms, np.arange(problem.n_steps)
    arm = int(np.bincount(problem.choices[problem.choices >= 0], minlength=arms).argmax())
    policy = lambda x: np.exp(log_policy(x))[:, arm]  # noqa: E731
    true = policy(data.truth.values[0, : problem.n_steps])

    figure = Figure(figsize=(width(), 4.6 + 0.08 * arms), layout="constrained")
    acts, levels, errors = figure.subplots(3, 1, sharex=True, height_ratios=[0.5 + 0.12 * arms, 1.5, 1.5])
    rewarded = np.where(problem.choices >= 0, data.rewards[0, : problem.n_steps], 0.0) > 0
    acts.vlines(steps[rewarded], problem.choices[rewarded] - 0.36, problem.choices[rewarded] + 0.36, color=INK, linewidth=1.4)
    missed = (problem.choices >= 0) & ~rewarded
    acts.vlines(steps[missed], problem.choices[missed] - 0.2, problem.choices[missed] + 0.2, color="#B5B5B5", linewidth=1.2)
    acts.set_yticks(range(arms), [str(i) for i in range(arms)])
    acts.set_ylim(arms - 0.4, -0.6)
    acts.set_ylabel("arm")
    acts.set_title(f"{label_of(results, case)}, episode {data.ids[0]}")
    levels.plot(steps, true, color="#C8C8C8", linewidth=4.5, zorder=1)
    errors.axhline(0, color=INK, linewidth=0.8)
    drawn, candidates = [], main_runs(results.runs)
    for run, thick in zip(candidates, widths(candidates) / 1.6, strict=True):
        for fit in fits[fits["run"] == run.id].itertuples():
            parameters = complete(problem, fit)
            if parameters is not None:
                fitted = policy(problem.values_of(parameters[0]))
            elif fit.kernels is not None:
                fitted = policy(problem.kernel_values(fit.kernels))
            else:
                continue
            look = line_of(run.entry, len(drawn), len(candidates)) | {"linewidth": thick, "markersize": 3.5}
            drawn.append(run)
            levels.plot(steps, fitted, **look)
            errors.plot(steps, fitted - true, **look)
    levels.set_ylabel(f"P(arm {arm})")
    errors.set_ylabel("fitted − true")
    errors.set_xlabel("step")
    errors.set_xlim(-1, problem.n_steps)
    figure.align_ylabels()
    truth = Line2D([], [], color="#C8C8C8", linewidth=4.5, label="truth")
    legend(figure, [truth, *run_handles(drawn)], 7)
    return figure


ORDER = 7
FIGURES = {
    "example": FigureSpec(
        _example,
        "One episode",
        "Top: the choices (long dark strokes were rewarded). Middle: the probability of the arm chosen most, true (wide, grey)"
        " and fitted. Bottom: fitted minus true.",
    ),
}
