"""The compose file, read by the compose client itself; no engine is needed for that."""

import shutil
import subprocess

import pytest

from tests.conftest import ROOT

CLIENTS = (["docker", "compose"], ["docker-compose"])


def client() -> list[str]:
    """Find a compose client, or skip the test."""
    for command in CLIENTS:
        if shutil.which(command[0]):
            asked = subprocess.run([*command, "version"], capture_output=True, check=False)
            if asked.returncode == 0:
                return command
    pytest.skip("there is no compose client here; 'make tools' installs one")


def test_compose_file_is_valid() -> None:
    """The compose client takes the file as it stands, and its one service keeps its ledger in a volume."""
    checked = subprocess.run(
        [*client(), "--file", str(ROOT / "docker-compose.yml"), "config"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "/data" in checked.stdout
