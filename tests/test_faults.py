"""What goes wrong in a long run: nothing finished is lost, nothing half-written is read, and the message says what to do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from banditfit.data import stored
from banditfit.data.stored import data_blocks
from banditfit.errors import InputError
from banditfit.files import intact, replacing
from banditfit.models.simulate import simulate
from banditfit.parquet import read_parquet
from banditfit.study.compact import write_scores
from banditfit.study.provenance import read_manifest, write_manifest
from banditfit.study.store import read_csv, read_table, write_csv, write_table
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
    sentence = f"{damaged.relative_to(project)}: found a damaged file of 200 bytes"
    assert [line for line in words.splitlines() if line.startswith(sentence)] and "Traceback" not in words
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
    table, dataset = tmp_path / "table.parquet", tmp_path / "data.parquet"
    for read, path in ((read_table, table), (stored.load, dataset)):
        path.write_bytes(content)
        with pytest.raises(InputError) as raised:
            intact(read, path)
        words = str(raised.value)
        assert words.startswith(f"{path}: found a damaged file of {len(content)} bytes (") and "\n" not in words
        assert words.endswith("delete it and run the same command again, which makes it anew")


def test_half_a_file_is_never_read(tmp_path):
    whole = simulate("one", "forgetting", p_reward=(0.8, 0.2), p_switch=0.0, n_episodes=2, n_steps=20, seed=1, beta=((0, 5),))
    stored.save(whole, tmp_path / "data.parquet")
    write_table(pd.DataFrame({"episode": range(100)}), tmp_path / "table.parquet")
    for read, name in ((stored.load, "data.parquet"), (read_table, "table.parquet")):
        content = (tmp_path / name).read_bytes()
        for end in range(0, len(content), 97):
            (tmp_path / name).write_bytes(content[:end])
            with pytest.raises(InputError, match="damaged file"):
                intact(read, tmp_path / name)


def test_a_flipped_bit_is_seen_or_changes_nothing(tmp_path):
    """Wherever it is: in the data, or in what says which column they are."""
    whole = simulate("one", "forgetting", p_reward=(0.8, 0.2), p_switch=0.0, n_episodes=2, n_steps=9, seed=1, beta=((0, 5),))
    stored.save(whole, tmp_path / "data.parquet")
    table = pd.DataFrame({"episode": [0, 1], "run": "d_loc", "alpha": [np.ones((1, 2)), None], "kl": [0.1, np.nan]})
    write_table(table, tmp_path / "fits.parquet")
    judged = {"nll": [9.0, np.nan], "regret": [0.5, np.nan], "best_nll": 8.5, "best_bound": 8.0, "gap": [1.0, np.nan]}
    write_scores([table.assign(**judged, t_wall=0.1, t_published=0.1)], tmp_path / "scores.parquet")
    readers = {
        "fits.parquet": lambda path: repr(intact(read_table, path).to_dict()),
        "scores.parquet": lambda path: repr(intact(read_parquet, path).to_pydict()),
        "data.parquet": lambda path: repr(intact(stored.load, path)),
    }
    blocks = lambda path: repr(next(data_blocks(path, [range(2)])))  # noqa: E731
    for name, read in [*readers.items(), ("data.parquet", blocks)]:
        path = tmp_path / name
        content, right = path.read_bytes(), read(path)
        seen = 0
        for place in range(0, len(content), 3):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
            try:
                assert read(path) == right, (name, place)
            except InputError as error:
                assert "damaged file" in str(error)
                seen += 1
        assert seen > 0.3 * len(content)
        path.write_bytes(content)
        assert read(path) == right


def test_a_table_that_ends_in_the_middle_is_not_read(tmp_path):
    path = tmp_path / "table.csv"
    frame = pd.DataFrame({"run": ["d_loc", 'a "run", or\ntwo', "Zoë"], "kl": [0.25, np.nan, 1e-9], "words": ["", "nan", "x"]})
    write_csv(frame, path)
    content, right = path.read_bytes(), read_csv(path)
    assert right["run"].tolist() == frame["run"].tolist() and right["kl"].isna().tolist() == [False, True, False]
    ends = [end + 1 for end in range(len(content)) if content[end : end + 1] == b"\n"]
    for end in range(len(content)):
        path.write_bytes(content[:end])
        if end in ends and content[:end].count(b'"') % 2 == 0:
            assert len(intact(read_csv, path)) < 3  # as the guide to faults says, this cannot be told
            continue
        with pytest.raises(InputError, match="damaged file .* delete it and run the same command"):
            intact(read_csv, path)
    path.write_bytes(content.replace(b",x\n", b"\n"))
    with pytest.raises(InputError, match=r"damaged file of \d+ bytes \(row 4 has 2 cells, the first 3\)"):
        intact(read_csv, path)


def test_half_a_manifest_is_not_read(tmp_path):
    path = tmp_path / "manifest.json"
    write_manifest({"config": {"study": "test"}}, path)
    content = path.read_bytes()
    assert intact(read_manifest, path) == {"config": {"study": "test"}}
    for end in range(len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(InputError, match="damaged file"):
            intact(read_manifest, path)


def test_what_is_no_damage_keeps_its_own_error(tmp_path):
    for read, name in ((read_table, "absent.parquet"), (stored.load, "absent.parquet")):
        with pytest.raises(FileNotFoundError):
            intact(read, tmp_path / name)

    def full(path):
        raise OSError(28, "No space left on device")

    (tmp_path / "here").touch()
    with pytest.raises(OSError, match="No space left"):
        intact(full, tmp_path / "here")
    assert issubclass(pa.ArrowMemoryError, MemoryError)
