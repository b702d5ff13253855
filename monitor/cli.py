"""The command line `monitor`: the list of commands. Each is a module of `monitor.commands`, imported when it is run.

Only here and there may `monitor` use the other packages: these compose what runs.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Place(NamedTuple):
    """Where a command is: a function, or a typer app of subcommands, of a module of `monitor.commands`."""

    module: str
    name: str
    summary: str


COMMANDS: Final[dict[str, Place]] = {
    "demo": Place("demo", "demo", "Watch a simulated city being supervised live."),
    "up": Place("up", "up", "Run the monitor: take events, judge deadlines, show the live page."),
    "worker": Place("worker", "worker", "Run a worker: take events from Kafka and judge deadlines, with others."),
    "serve": Place("serve", "serve", "Take events for the workers behind Kafka, and show what they found."),
    "check": Place("check", "check", "Name every fault of a rulebook's files."),
    "rulebook": Place("rulebook", "app", "Publish, list and compare the versions of the rulebook."),
    "topics": Place("topics", "app", "Make the topics of Kafka, and say how they differ."),
    "positions": Place("positions", "app", "Show where workers stand in the topic; accept what it has lost."),
    "keys": Place("keys", "app", "Make, list and revoke the API keys of sources."),
    "readiness": Place("readiness", "readiness", "Say what a source's feed is like, and what to change first."),
    "rules": Place("rules", "app", "List rules with their modes; review and promote them."),
    "users": Place("users", "app", "Add, list and disable users; say what they see."),
    "audit": Place("audit", "audit", "Show who did what."),
    "import": Place("import_", "import_", "Bring the events of a CSV or XES log into the ledger."),
    "emit": Place("emit", "emit", "Deliver a source's events, whatever its network or the receiver does."),
    "simulate": Place("simulate", "simulate", "Simulate a service centre, into a file or live."),
    "explain": Place("explain", "explain", "Explain a verdict, day by day."),
    "backlog": Place("backlog", "backlog", "List what was late before the baseline (存量超期清单)."),
    "kpi": Place("kpi", "kpi", "Print the key figures of a region, department or item."),
    "try": Place("try_", "try_", "Say what events would do, and store nothing."),
    "verify": Place("verify", "verify", "Check that the ledger says what follows from its events."),
    "digest": Place("digest", "digest", "Print what makes two ledgers the same."),
    "replay": Place("replay", "replay", "Load an empty ledger from every event of an older one."),
    "seal": Place("seal", "seal", "Sign where every chain of the ledger ends."),
    "evidence": Place("evidence", "app", "Export the evidence on a case as a bundle, and verify bundles."),
    "act": Place("act", "act", "Acknowledge, answer, appeal, supervise or close a finding."),
    "rejects": Place("rejects", "app", "List and show what was rejected."),
    "texts": Place("texts", "app", "Show and erase the free texts of a case."),
    "reassess": Place("reassess", "reassess", "Have cases assessed again."),
    "schema": Place("schema", "schema", "Print the JSON Schema of an event."),
}
"""Every command in the order of the help; the summary stands here so that `monitor --help` imports none of them."""


class Commands(TyperGroup):
    """Know commands by name and import the one that is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give a stand-in that has the name and the summary, for the help."""
        place = COMMANDS.get(cmd_name)
        return None if place is None else TyperCommand(cmd_name, help=place.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that is run; an unknown name is reported as usual."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else _load(COMMANDS[name], name), rest


def _load(place: Place, name: str) -> Any:
    found = getattr(import_module(f"monitor.commands.{place.module}"), place.name)
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    single = typer.Typer(add_completion=False)
    single.command(name)(found)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=Commands, add_completion=False, no_args_is_help=True, help="Electronic supervision monitor (电子监察)."
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(version("supervision-monitor"))
        raise typer.Exit


@app.callback()
def _options(
    _version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Supervise government service cases in real time."""


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
