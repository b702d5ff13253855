"""Print the proof of the rules: what was planted, found, missed and wrongly raised, in a clean feed and in dirty ones.

Usage: python scripts/rules_report.py [--days N] [--feeds NAME,NAME] [--seed N] [--json]

Without --days the year 2009 of the example city, which takes several minutes for each feed. Ends with 0 only where
every violation planted in the clean feed was found or the reason is known, and no feed raised what was not planted.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.resources import as_file, files
from multiprocessing import cpu_count

import msgspec

from monitor.rulebook.load import load
from streams.simulator.dirty import DIRTS
from streams.simulator.proving import CLEAN, Plan, Proof, prove

YEAR = 365
FEEDS = (CLEAN, *DIRTS)


def main() -> int:
    """Prove every feed asked for, several at once, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, help="a short period with many violations instead of the year")
    parser.add_argument("--feeds", default=",".join(FEEDS), help="names, and names joined by + for several at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="for programs")
    asked = parser.parse_args()
    with as_file(files("monitor") / "rulebooks" / "yulin") as folder:
        rulebook = load(folder)
    first = date(2009, 1, 1) if asked.days is None else date(2009, 3, 2)
    plan = Plan(rulebook, asked.seed, first, asked.days or YEAR, dense=asked.days is not None)
    names = asked.feeds.split(",")
    with ProcessPoolExecutor(min(len(names), cpu_count())) as pool:
        proofs = []
        for proof in pool.map(prove, [plan] * len(names), names):
            proofs.append(proof)
            if not asked.json:
                sys.stdout.write("\n".join(written(proof)) + "\n")
    if asked.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(proofs)).decode() + "\n")
    return 0 if all(is_proven(proof) for proof in proofs) else 1


def is_proven(proof: Proof) -> bool:
    """Tell whether a feed shows that the rules hold: in the clean one nothing may be missed without a reason."""
    unexplained = sum(account.missed.get("unexplained", 0) for account in proof.rules.values())
    return proof.is_clean and (proof.feed != CLEAN or not unexplained)


def written(proof: Proof) -> list[str]:
    """Lay a proof out as lines."""
    judged = f"clocks not observed {proof.clocks_not_observed:,}, findings provisional {proof.provisional}"
    doubted = f"contested {proof.contested}, on data {sum(proof.data.values())} {proof.data or ''}"
    lines = [
        f"{proof.feed}: {proof.events:,} events of {proof.cases:,} cases; {judged}, {doubted}",
        "  rule  planted   found  of it leads  raised unplanted  ever announced  missed",
    ]
    for rule, account in sorted(proof.rules.items()):
        missed = ", ".join(f"{count} {reason}" for reason, count in sorted(account.missed.items()))
        announced = f"{account.announced}" + (f" ({account.contested} contested)" if account.contested else "")
        lines.append(
            f"  {rule:<5} {account.planted:>7} {account.found:>7} {account.leads:>12} {account.raised:>17}"
            f" {announced:>15}  {missed or '-'}"
        )
    lines += [f"  {why}: {which}" for why, which in proof.examples]
    lines.append(f"  {'holds' if is_proven(proof) else 'DOES NOT HOLD'}\n")
    return lines


if __name__ == "__main__":
    sys.exit(main())
