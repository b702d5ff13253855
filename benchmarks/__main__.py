"""`python -m benchmarks`: measure, print, and write the figures down as JSON."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from msgspec.structs import replace
from rich.console import Console

from benchmarks.machine import machine
from benchmarks.sizes import FULL, QUICK

BENCHMARKS: Final = ("assess", "engine", "ingest", "storm", "memory", "consumption", "latency", "takeover")

out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(BENCHMARKS)}; by default all.")] = None,
    full: Annotated[bool, typer.Option(help="Everything, not only a form of a few minutes.")] = False,
    days: Annotated[int | None, typer.Option(min=2, max=365, help="Simulated days instead.")] = None,
    cases: Annotated[int | None, typer.Option(min=1_000, help="Open cases of the storm instead.")] = None,
    postgresql: Annotated[bool, typer.Option(help="Measure PostgreSQL too.")] = True,
    json: Annotated[Path | None, typer.Option(help="File to write the figures to.")] = None,
) -> None:
    """Measure how fast the monitor is on this machine."""
    chosen = names or list(BENCHMARKS)
    if unknown := sorted(set(chosen) - set(BENCHMARKS)):
        raise typer.BadParameter(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    size = replace(FULL if full else QUICK, postgresql=postgresql)
    size = replace(size, days=days or size.days, open_cases=cases or size.open_cases)
    document: dict[str, Any] = {"machine": machine(), "size": msgspec.structs.asdict(size), "benchmarks": {}}
    for name in chosen:
        out.rule(name)
        found = import_module(f"benchmarks.{name}").measure(size)
        document["benchmarks"][name] = found
        _show(found)
        if json is not None:
            json.parent.mkdir(parents=True, exist_ok=True)
            json.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    if json is not None:
        out.print(f"written to {json}")


def _show(found: dict[str, Any], indent: str = "") -> None:
    """Print figures, one a line; what belongs together on one."""
    for name, value in found.items():
        nested = isinstance(value, dict)
        if nested and (any(isinstance(each, dict) for each in value.values()) or len(value) > 5):
            out.print(f"{indent}{name}")
            _show(value, indent + "  ")
        elif nested:
            out.print(f"{indent}{name}: " + "  ".join(f"{key} {each:,}" for key, each in value.items()))
        else:
            out.print(f"{indent}{name}: {value:,}" if isinstance(value, int | float) else f"{indent}{name}: {value}")


def run(arguments: list[str] | None = None) -> None:
    """Run the program; it ends by itself."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(arguments)


if __name__ == "__main__":
    run()
