"""What goes wrong in a long run: nothing finished is lost, nothing half-written is read, and the message says what to do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from banditfit import data
from banditfit.errors import InputError
from banditfit.files import replacing
from banditfit.simulate import simulate
from banditfit.stored import intact
from banditfit.tables import read_table, write_table
from project import BATCHES, SCORES, frail_project, snakemake, stamps, timeless


@pytest.fixture
def project(tmp_path) -> Path:
    return frail_project(tmp_path / "project")


@pytest.mark.long
def test_a_killed_worker_and_a_damaged_table_cost_their_own_batches(project):
    (project / "fault").write_text("kill")
    done = snakemake(project, SCORES, check=False)
    assert done.returncode != 0 and "SIGKILL" in done.stdout + done.stderr
    kept = stamps(project)
    assert len(kept) == 2 and all(len(read_table(path)) == 1 for path in kept)

    damaged, whole = kept
    before = timeless(damaged)
    damaged.write_bytes(damaged.read_bytes()[:200])
    done = snakemake(project, SCORES, check=False)  # the missing batch is made, and then the scores cannot be
    words = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"InputError: {damaged.relative_to(project)}: found a damaged file of 200 bytes" in words
    assert "delete it and run the same command" in words
    damaged.unlink()
    made = stamps(project)
    assert len(made) == 2 and made[whole] == kept[whole]
    snakemake(project, SCORES)
    after = stamps(project)
    assert len(after) == 3 and all(after[path] == when for path, when in made.items())
    assert timeless(damaged) == before and len(read_table(project / SCORES)) == 3


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small file system needs root on Linux")
def test_a_full_disk_loses_no_finished_batch(project):
    results = project / "results"
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=44k", "tmpfs", results]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this system does not allow mounting a small file system")
    try:
        done = snakemake(project, *BATCHES, check=False)
        assert done.returncode != 0 and "No space left on device" in done.stdout + done.stderr
        kept = stamps(project)
        assert 0 < len(kept) < 3 and all(len(read_table(path)) == 1 for path in kept)
        assert not [path for path in results.rglob(".*") if path.is_file()]
        subprocess.run(["mount", "-o", "remount,size=4m", results], check=True)
        snakemake(project, *BATCHES)
        after = stamps(project)
        assert len(after) == 3 and all(after[path] == when for path, when in kept.items())
    finally:
        subprocess.run(["umount", results], check=True)


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.parquet"
    write_table(pd.DataFrame({"episode": [1, 2]}), path)
    child = os.fork()
    if child == 0:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert read_table(path)["episode"].tolist() == [1, 2]
    assert [left.name for left in tmp_path.iterdir() if left != path] == [f".table.parquet.{child}"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"half", b"\0" * 5000])
def test_damage_is_said_in_one_sentence(tmp_path, content):
    table, dataset = tmp_path / "table.parquet", tmp_path / "data.npz"
    for read, path in ((read_table, table), (data.load, dataset)):
        path.write_bytes(content)
        with pytest.raises(InputError) as raised:
            intact(read, path)
        words = str(raised.value)
        assert words.startswith(f"{path}: found a damaged file of {len(content)} bytes (") and "\n" not in words
        assert words.endswith("delete it and run the same command again, which makes it anew")


# NumPy leaves a file open that is no zip file.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_half_a_file_is_never_read(tmp_path):
    whole = simulate("one", "forgetting", p_reward=(0.8, 0.2), p_switch=0.0, n_episodes=2, n_steps=20, seed=1, beta=((0, 5),))
    data.save(whole, tmp_path / "data.npz")
    write_table(pd.DataFrame({"episode": range(100)}), tmp_path / "table.parquet")
    for read, name in ((data.load, "data.npz"), (read_table, "table.parquet")):
        content = (tmp_path / name).read_bytes()
        for end in range(0, len(content), 97):
            (tmp_path / name).write_bytes(content[:end])
            with pytest.raises(InputError, match="damaged file"):
                intact(read, tmp_path / name)


def test_what_is_no_damage_keeps_its_own_error(tmp_path):
    for read, name in ((read_table, "absent.parquet"), (data.load, "absent.npz")):
        with pytest.raises(FileNotFoundError):
            intact(read, tmp_path / name)

    def full(path):
        raise OSError(28, "No space left on device")

    (tmp_path / "here").touch()
    with pytest.raises(OSError, match="No space left"):
        intact(full, tmp_path / "here")
    assert issubclass(pa.ArrowMemoryError, MemoryError)
