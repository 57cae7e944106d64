"""`python -m banditfit COMMAND ...`, in the project's folder: what a study tells on the command line.

A user's mistake ends in its one sentence, and the exit status 1.
"""

import argparse
import os
from pathlib import Path

from .gallery import DATA
from .study.programs import one_sentence, whole_number


def main(arguments: list[str] | None = None) -> None:
    """Runs the command that `arguments` name, by default those of the command line."""
    given = vars(_parser().parse_args(arguments))
    command = given.pop("run")
    with one_sentence():
        command(**given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m banditfit", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(run, words: str, *arguments: tuple[str, object, str]) -> None:
        """Adds a command, whose arguments have a name, a default and an explanation each."""
        one = commands.add_parser(run.__name__.strip("_"), help=words, description=words)
        one.set_defaults(run=run)
        for name, default, explained in arguments:
            kind = whole_number if isinstance(default, int) else type(default)
            text = f"{explained} (default: {default})"
            one.add_argument(name, nargs="?", default=default, type=kind, help=text, metavar=name.upper())

    cores = ("cores", os.cpu_count() or 1, "the cores that fits share")
    quick, paper = (("config", Path(f"config/{name}.yaml"), "the configuration of a study") for name in ("config", "paper"))
    command(_progress, "how far a study is, and how long the rest of its fits takes", quick, cores)
    command(
        _cost,
        "what a study took in time and memory, and what more episodes would take",
        quick,
        ("episodes", 1_000_000, "of each data set"),
        cores,
    )
    command(_headline, "what a finished study found, in Markdown", paper)
    some = ("config", Path("all"), "the configuration of a study, of which what it needs is compiled; or all")
    command(_compile, "compile what fits need, once and on all cores", some)
    command(_example, "write the example data of simulated people anew", ("folder", Path("config"), "where its two files go"))
    command(_models, "which methods serve which models, in Markdown")
    folder = ("folder", Path("results/benchmark"), "where tables and figures go")
    command(_benchmark, "speed, measured in one run, as ratios", folder)
    command(
        _hunt,
        "look for parameters below a bound, in random and degenerate cases of all models (docs/certificates.md)",
        ("cases", 100_000, "over all models"),
        folder,
        cores,
    )
    command(_targets, "what data of one's own cost: comparison, recovery, a million trials, each measured on a part")
    command(
        _samplers,
        "speed of the Monte Carlo sampler against PyMC, NumPyro and BlackJAX (of envs/requirements-benchmark.in)",
        folder,
        ("scale", 1.0, "multiplies the numbers of episodes"),
    )
    command(
        _psychometrics,
        "what a finished study of players of sequential games found, beside what was published, in Markdown",
        ("config", Path("config/psychometrics.yaml"), "the configuration of a study"),
    )
    vi = ("config", Path("config/vi.yaml"), "the configuration of a study")
    command(_engines, "how far posteriors of a finished study are from the exact ones, in Markdown (docs/populations.md)", vi)
    command(_misspecified, "who stays accurate where box and prior are wrong, of a finished study, likewise", vi)
    command(
        _optima,
        "who finds the optimum of which model, how far bounds are from it, and in what time, of a finished study, in Markdown"
        " (docs/optima.md)",
        ("config", Path("config/models.yaml"), "the configuration of a study"),
    )
    command(
        _effects,
        "how well effects of group and age are found in simulated populations, in Markdown (docs/populations.md)",
        ("populations", 100, "of 80 people with 200 trials each"),
    )
    command(
        _calibration,
        "whether posteriors are as wide as they say, by simulation, in Markdown (docs/populations.md)",
        ("populations", 20, "of 20 people; five times as many of 80 for effects, and episodes for mc"),
        ("folder", Path("results/calibration"), "where what is simulated is kept, and the figure goes"),
    )
    command(
        _sessions,
        "how well effects, variances and reliability are found in simulated people of two sessions (docs/populations.md)",
        ("populations", 50, "of 60 people with two sessions of 200 trials each"),
    )
    command(_dictionary, "what the columns of scores and the tables hold, in Markdown (docs/dictionary.md)")
    command(
        _coverage,
        "how often intervals hold the truth in the six published experiments, in Markdown (docs/populations.md)",
        ("episodes", 300, "of each, as one population"),
        ("method", "gem", "an id of config/methods.tsv"),
        ("start", 1.0, "of the agents' traces: 1 as published, 0 as every fit assumes"),
    )
    command(
        _fillings,
        "what CVX-LOC puts in for the rates of arms that were never rewarded, and its errors (docs/methods.md)",
        ("folder", Path("results/paper"), "a stored study of the published data sets"),
        ("episodes", 8, "that are solved anew, by two conic programs"),
    )
    data = ("data", DATA, "the folder that holds the folders of public data sets")
    command(
        _certificates,
        "how many optima of which models are proved, in what time, in Markdown (docs/certificates.md)",
        ("episodes", 100, "simulated learners of each model"),
        ("starts", 50, "of L-BFGS-B, which profile is held against on mice"),
        data,
    )
    command(
        _published_fits,
        "how many published fits of public data are optimal, in Markdown (docs/published_fits.md)",
        data,
        ("folder", Path("results/published_fits"), "where a table of people per data set goes"),
        ("sets", "bavard,palminteri,zorowitz,cbm,hou", "which of them, separated by commas; hou_three_rates takes long"),
    )
    command(
        _reliability,
        "how well estimates of people who came twice agree, by every method, in Markdown (docs/reliability.md)",
        data,
        ("folder", Path("results/reliability"), "where the table goes"),
    )
    return parser


def _progress(config: Path, cores: int) -> None:
    from .study.config import load_study
    from .study.progress import describe, progress

    study = load_study(config, Path.cwd())
    name = study.config["study"]
    print(describe(progress(study, Path("results") / name / "fits"), name, cores))


def _cost(config: Path, episodes: int, cores: int) -> None:
    from .study.config import load_study
    from .study.cost import cost, describe

    study = load_study(config, Path.cwd())
    print(describe(cost(study, Path()), study, episodes, cores))


def _headline(config: Path) -> None:
    from .report.headline import headline
    from .study.config import load_study

    study = load_study(config, Path.cwd())
    print("\n".join(headline(study, Path("results") / study.config["study"])))


def _compile(config: Path) -> None:
    from .compiling import compile_all
    from .study.config import load_study

    compile_all(None if config == Path("all") else load_study(config, Path.cwd()))


def _example(folder: Path) -> None:
    from .models.example import write_example

    for path in write_example(folder):
        print(path)


def _models() -> None:
    from .report.served import served

    print("\n".join(served()))


def _benchmark(folder: Path) -> None:
    from .benchmark import speed

    speed.main(folder)


def _hunt(cases: int, folder: Path, cores: int) -> None:
    from .benchmark import hunt

    hunt.report(cases, folder, cores)


def _targets() -> None:
    from .benchmark import targets

    targets.main()


def _samplers(folder: Path, scale: float) -> None:
    from .benchmark import samplers

    samplers.main(folder, scale)


def _psychometrics(config: Path) -> None:
    from .report.psychometrics import markdown
    from .study.config import load_study

    study = load_study(config, Path.cwd())
    print("\n".join(markdown(Path("results") / study.config["study"])))


def _engines(config: Path) -> None:
    from .report.engines import markdown_of_engines
    from .study.config import load_study

    print("\n".join(markdown_of_engines(load_study(config, Path.cwd()))))


def _misspecified(config: Path) -> None:
    from .report.engines import markdown_of_misspecified
    from .study.config import load_study

    print("\n".join(markdown_of_misspecified(load_study(config, Path.cwd()))))


def _optima(config: Path) -> None:
    from .report.optima import markdown
    from .study.config import load_study

    study = load_study(config, Path.cwd())
    print("\n".join(markdown(study, Path("results") / study.config["study"])))


def _effects(populations: int) -> None:
    from .experiments.effects import report

    report(populations)


def _calibration(populations: int, folder: Path) -> None:
    from .benchmark.calibration import report

    report(populations, folder)


def _sessions(populations: int) -> None:
    from .experiments.sessions import report

    report(populations)


def _coverage(episodes: int, method: str, start: float) -> None:
    from .benchmark.coverage import report

    report(episodes, method, start)


def _dictionary() -> None:
    from .study.dictionary import markdown

    print(markdown())


def _fillings(folder: Path, episodes: int) -> None:
    from .benchmark import fillings

    fillings.report(folder, episodes)


def _certificates(episodes: int, starts: int, data: Path) -> None:
    from .benchmark import models

    models.report(data, episodes, starts)


def _published_fits(data: Path, folder: Path, sets: str) -> None:
    from .gallery.published_fits import report

    report(data, folder, sets.split(","))


def _reliability(data: Path, folder: Path) -> None:
    from .gallery.reliability import report

    report(data, folder)


if __name__ == "__main__":
    main()
