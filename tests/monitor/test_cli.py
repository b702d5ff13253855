"""The command line as a whole."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from monitor import cli
from monitor.cli import COMMANDS, app


def test_help_lists_every_command_without_importing_any() -> None:
    """`monitor --help` is quick: it loads neither database nor web server, nor any command."""
    watched = (
        "import sys; from typer.testing import CliRunner; from monitor.cli import app; "
        "shown = CliRunner().invoke(app, ['--help']).stdout; "
        "loaded = [m for m in ('sqlalchemy', 'fastapi', 'monitor.commands') if m in sys.modules]; "
        "import json; print(json.dumps([shown, loaded]))"
    )
    ended = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True, timeout=60)
    shown, loaded = json.loads(ended.stdout)
    assert all(name in shown for name in COMMANDS)
    assert loaded == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """Each command of the list exists and explains itself."""
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage" in result.stdout


def test_unknown_command_is_an_error() -> None:
    """A misspelt command ends with status 2 and names it."""
    result = CliRunner().invoke(app, ["verfy"])
    assert result.exit_code == 2
    assert "verfy" in result.stderr


def test_schema_is_the_events_own() -> None:
    """`monitor schema` prints one JSON document that knows every event type."""
    result = CliRunner().invoke(app, ["schema"])
    assert "supplement_notice" in json.dumps(json.loads(result.stdout))


def test_summaries_agree_with_the_commands() -> None:
    """The list's one line is about the command it stands for: none is empty, each ends as a sentence."""
    assert all(place.summary.endswith(".") for place in cli.COMMANDS.values())


@pytest.mark.parametrize(("of", "field"), [("finding", "changed_at"), ("reject", "digest")])
def test_schema_describes_what_is_told_downstream(of: str, field: str) -> None:
    """Who reads a topic gets the schema of its messages in the same way."""
    result = CliRunner().invoke(app, ["schema", of])
    assert result.exit_code == 0, result.output
    (described,) = json.loads(result.output)["$defs"].values()
    assert field in described["required"]
