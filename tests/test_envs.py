"""The ways to install say the same."""

import re

import yaml

from project import ROOT

ENVS = ROOT / "envs"


def pins(name: str) -> list[str]:
    """The exact versions in a lock, in its order."""
    return re.findall(r"^(\S+==.*) \\$", (ENVS / name).read_text(), flags=re.MULTILINE)


def test_conda_installs_what_the_lock_says():
    environment = yaml.safe_load((ENVS / "environment.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == pins("requirements.lock")


def test_the_lock_holds_what_is_required():
    # A name as it stands at the start of a line, before its versions.
    required = re.findall(r"^([a-z][\w-]*)", (ENVS / "requirements.in").read_text(), flags=re.MULTILINE)
    assert len(required) > 10 and set(required) <= {pin.split("==")[0] for pin in pins("requirements.lock")}


def test_the_site_is_built_by_what_the_lock_says_elsewhere():
    """What both locks pin they pin alike, as both are installed into one environment."""
    mine, ours = ({pin.split("==")[0]: pin for pin in pins(name)} for name in ("requirements-docs.lock", "requirements.lock"))
    assert {"sphinx", "myst-parser", "furo"} <= set(mine)
    assert {name: mine[name] for name in set(mine) & set(ours)} == {name: ours[name] for name in set(mine) & set(ours)}


def test_the_executors_are_pinned_as_asked():
    asked = re.findall(r"^(\S+)", (ENVS / "requirements-cluster.in").read_text(), flags=re.MULTILINE)
    asked = [line for line in asked if line != "#"]
    locked = pins("requirements-cluster.lock")
    assert [any(pin == line or pin.startswith(f"{line}==") for pin in locked) for line in asked] == [True] * len(locked)
