"""The example that ships is what its recipe makes, byte for byte, and what docs/example.md says of it."""

import banditfit as bf
from banditfit.models.example import write_example
from project import ROOT


def test_the_recipe_makes_the_files_again(tmp_path):
    for path in write_example(tmp_path):
        assert path.read_bytes() == (ROOT / "config" / path.name).read_bytes()


def test_the_file_is_read_as_the_study_says():
    names = {"episode": "subject", "step": "trial"}
    data = bf.read_csv(ROOT / "config/example.csv", n_arms=2, columns=names, arms=["left", "right"])
    assert len(data) == 60 and data.starts.sum() == 120 and (data.choices < 0).sum() == 192
    assert {"columns not read: 'worry'", "traces decay over 192 missed trials"} <= set(data.notes)
