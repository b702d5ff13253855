"""Try every fault on a deployment of its own, and tell whether each ends in the ledger of an undisturbed run.

Usage: python -m scripts.faults [--only NAME,NAME] [--json FILE] [--keep FOLDER] [--list]

Takes half an hour. Ends with 0 only where every fault ended in the undisturbed digest, nothing acknowledged was
lost, every finding is told exactly once, and every partition moved again within a minute.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.faults.disk import NoDisk
from tests.faults.injuries import FAULTS, Fault
from tests.faults.outcome import Outcome
from tests.faults.trial import deployed, tried
from tests.kafka import NoBroker
from tests.postgres import CannotStart


def main() -> int:
    """Try the faults asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of faults, separated by commas; by default all")
    parser.add_argument("--json", type=Path, help="write the report there")
    parser.add_argument("--list", action="store_true", help="list the faults")
    parser.add_argument("--keep", type=Path, help="keep ledgers' keys and logs of the workers in this folder")
    asked = parser.parse_args()
    if asked.list:
        say("\n".join(fault.name for fault in FAULTS))
        return 0
    names = None if asked.only is None else set(asked.only.split(","))
    unknown = (names or set()) - {fault.name for fault in FAULTS}
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; --list names them")
    outcomes = []
    for fault in FAULTS:
        if names is None or fault.name in names:
            outcomes.append(outcome := try_on_its_own(fault, asked.keep))
            say(line(outcome))
            # After each: half an hour's work is not lost with the last of it.
            write(outcomes, asked.json)
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def try_on_its_own(fault: Fault, keep: Path | None) -> Outcome:
    """Try a fault on servers of its own, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="monitor-faults-") as made:
        folder = Path(made)
        if keep is not None:
            folder = keep / fault.name.replace(" ", "-")
            folder.mkdir(parents=True)
        folder.chmod(0o755)
        try:
            with deployed(folder, fault) as topology:
                return tried(fault, topology)
        except (NoDisk, NoBroker, CannotStart) as impossible:
            return Outcome(
                fault=fault.name, digest_undisturbed="", digest_now="", agree=False, problems=(str(impossible),)
            )


def write(outcomes: list[Outcome], report: Path | None) -> None:
    """Write the report, where one is asked for."""
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_bytes(msgspec.json.format(msgspec.json.encode(outcomes)) + b"\n")


def line(outcome: Outcome) -> str:
    """Say in a few lines what came of a fault."""
    verdict = "agrees" if outcome.holds else "DOES NOT AGREE" if not outcome.agree else "OBJECTIONS"
    recovered = f", recovered in at most {max(outcome.seconds_to_recover)} s" if outcome.seconds_to_recover else ""
    said = [f"{outcome.fault}: {verdict} ({outcome.seconds} s{recovered})"]
    said += [f"  differs in {', '.join(outcome.differing)}"] if outcome.differing else []
    said += [f"  {problem}" for problem in outcome.problems]
    said += [f"  started again: {ended}" for ended in outcome.ended]
    return "\n".join(said)


def say(text: str) -> None:
    """Print at once, also into a file."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
