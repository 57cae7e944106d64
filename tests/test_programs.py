"""How programs end where their user made a mistake: in one sentence, on the command line and in a script's log."""

import subprocess
import sys

import pytest

from banditfit.__main__ import main
from banditfit.errors import InputError
from banditfit.report import headline
from banditfit.study.locks import Presence
from banditfit.study.programs import whole_number
from project import ROOT


@pytest.mark.parametrize("command", ["progress", "cost", "headline"])
@pytest.mark.parametrize("config", ["config/none.yaml", "config", "config/methods.tsv"])
def test_a_wrong_argument_ends_in_one_sentence(command, config, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        main([command, config])
    assert "expected" in ended.value.code and "\n" not in ended.value.code


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5", "nan", "inf", ""])
def test_numbers_among_the_arguments(text, capsys):
    with pytest.raises(SystemExit):
        main(["progress", "x.yaml", text])
    assert f"argument CORES: found {text}, expected a whole number of at least 1" in capsys.readouterr().err
    assert whole_number("1e6") == 1_000_000


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["progress", "x.yaml", "1", "2"]])
def test_other_commands_than_there_are_end_in_how_to_use_them(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert capsys.readouterr().err.startswith("usage: python -m banditfit")


def test_tables_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match="summary.csv: no such file, expected a table of a study that has run to its end"):
        headline.headline(None, tmp_path)


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ("raise InputError('mine.csv, row 2: found Ω')", "mine.csv, row 2: found Ω"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_script_says_a_users_mistake_in_one_sentence_and_its_own_in_full(tmp_path, body, end):
    script = tmp_path / "script.py"
    imports = "from banditfit.errors import InputError\nfrom banditfit.study.programs import log_to\n"
    script.write_text(f"{imports}log_to('log')\nprint('begun')\n{body}\n", encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT / "workflow"), "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert done.returncode == 1 and not done.stdout + done.stderr
    assert lines[0] == "begun" and lines[-1] == end
    assert (len(lines) == 2) == ("InputError" in body)


@pytest.mark.parametrize("local", [True, False])
def test_a_lock_that_a_killed_run_left_is_taken_away_where_no_run_is_alive_and_no_job(tmp_path, local):
    alive = Presence(tmp_path)
    alive.begins(local)
    lock = tmp_path / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir()
    lock.touch()
    beside = Presence(tmp_path)
    assert lock.exists()
    for run in (alive, beside):
        run.file.close()  # as the end of its process does
    after = Presence(tmp_path)
    assert lock.exists() == (not local)  # jobs on a cluster outlive the run that submitted them
    after.file.close()
