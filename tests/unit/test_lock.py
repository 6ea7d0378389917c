"""requirements.lock is what pyproject.toml asks for, whole, with hashes: else the image would not be built."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Set
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import cast

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEPENDENCIES = [Requirement(line) for line in PROJECT["dependencies"]]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def entries() -> dict[str, tuple[Requirement, list[str]]]:
    """What is locked, by name: the requirement, and its hashes."""
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for entry in re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^ *#.*\n?", "", LOCK).replace("\\\n", " ").strip()):
        line, *hashes = re.split(r" +--hash=", " ".join(entry.split()))
        requirement = Requirement(line)
        found[canonicalize_name(requirement.name)] = requirement, hashes
    return found


LOCKED = entries()


def version(name: str) -> str:
    [exact] = LOCKED[canonicalize_name(name)][0].specifier
    assert exact.operator == "=="
    return exact.version


@pytest.mark.parametrize("wanted", DEPENDENCIES, ids=str)
def test_each_dependency_is_locked_within_its_bounds(wanted: Requirement) -> None:
    """`make lock` was run after the bounds were changed."""
    assert wanted.specifier.contains(version(wanted.name))


@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_locked_is_whole(python: str) -> None:
    """What a dependency needs in turn, on Linux and each Python, is locked too: --require-hashes takes nothing else."""
    environment: dict[str, str | Set[str]] = {
        **cast(dict[str, str], default_environment()), "python_version": python, "python_full_version": f"{python}.0",
        "sys_platform": "linux", "platform_system": "Linux",
    }  # fmt: skip
    lacking = set()
    for name, (locked, _) in LOCKED.items():
        assert locked.marker is None or not locked.marker.evaluate(environment | {"sys_platform": "win32"})
        try:
            needs = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # of another Python than this one
            continue
        extras = {extra for wanted in DEPENDENCIES if canonicalize_name(wanted.name) == name for extra in wanted.extras}
        for need in needs:
            asked = any(need.marker is None or need.marker.evaluate(environment | {"extra": e}) for e in extras | {""})
            if asked and canonicalize_name(need.name) not in LOCKED:
                lacking.add(f"{name} needs {need}")
    assert lacking == set()


def test_each_has_hashes_and_none_says_where_it_comes_from() -> None:
    """Whoever builds the image names the registry; what comes from it is told by its hash."""
    for name, (_, hashes) in LOCKED.items():
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", given) for given in hashes), name
    assert not re.search(r"://|--index|--find-links|--trusted", LOCK)


@pytest.mark.parametrize("wanted", DEPENDENCIES, ids=str)
def test_each_dependency_has_a_floor(wanted: Requirement) -> None:
    """A release that nobody has tried is not what pip takes for want of another."""
    assert any(bound.operator == ">=" for bound in wanted.specifier)
