"""One transaction of one stream, or of several: what their turns read and write, each table once for all of them.

A transaction costs some milliseconds before its first event. A worker with many partitions, each with a few events,
would do little else than begin and commit.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import select

from monitor.ledger import judging, rejects, relays, texts
from monitor.ledger.changes import Changes, Standing
from monitor.ledger.findings import CHUNK, Cause
from monitor.ledger.imports import note_live
from monitor.ledger.journal import JournalTail
from monitor.ledger.packing import entries_of, unpack_assessment, unpack_written
from monitor.ledger.positions import save_positions
from monitor.ledger.schema import cases, journal
from streams.admission import Admitted, Delivery, Outcome
from streams.turn import Identity, Memory, Shared, Turn

_COLUMNS: Final = (cases.c.case, cases.c.stream, cases.c.live, cases.c.assessment, cases.c.events)


class Together:
    """The turns of one transaction: after everything else `write`, then `memories`."""

    def __init__(self, shared: Shared, turns: Sequence[Turn]) -> None:
        self.turns = turns
        self._shared, self._connection = shared, shared.connection

    def take(self, batches: Sequence[Sequence[Delivery]]) -> list[list[Outcome]]:
        """Take a batch in each turn; return what became of each delivery that was not committed before."""
        admissions = [turn.admit(batch) for turn, batch in zip(self.turns, batches, strict=True)]
        events = [[each for _, each in some if isinstance(each, Admitted)] for some in admissions]
        standings = self._load([{each.event.case for each in some if each.event.case is not None} for some in events])
        heartbeats = self._known_heartbeats(events)
        return [
            turn.take(some, standings[number], heartbeats[turn.stream])
            for number, (turn, some) in enumerate(zip(self.turns, admissions, strict=True))
        ]

    def let_time_pass(self, limit: int) -> int:
        """Assess again up to `limit` cases that time or a new rulebook may have changed; return how many.

        What was rejected long ago expires by the way, as far as all of them have come.
        """
        horizon = min(turn.horizon for turn in self.turns)
        self._shared.ledger.vault.expire(self._connection, [turn.stream for turn in self.turns], horizon)
        self._learn_what_is_due()
        causes: dict[str, dict[str, Cause]] = {turn.stream: {} for turn in self.turns}
        left = limit
        for turn in self.turns:
            if left > 0:
                causes[turn.stream] |= dict.fromkeys(turn.due(left), "time")
                left -= len(causes[turn.stream])
        # Among so many are as many as are left that were not named before.
        for stream, case in self._to_reassess(limit) if left > 0 else ():
            if left > 0 and case not in causes[stream]:
                causes[stream][case] = "reassessment"
                left -= 1
        why = list(causes.values())
        for turn, standings, each in zip(self.turns, self._load(why), why, strict=True):
            turn.judge_again(standings, each)
        return limit - left

    def _learn_what_is_due(self) -> None:
        """Read when cases change next with time alone, for the turns that do not know."""
        unaware = [turn for turn in self.turns if turn.known_due is None]
        read = judging.earliest_changes(self._connection, [turn.stream for turn in unaware])
        for turn in unaware:
            turn.known_due = read[turn.stream]

    def _to_reassess(self, limit: int) -> Iterator[tuple[str, str]]:
        """Find cases that were marked, or judged by an older rulebook, with their streams."""
        by_version: dict[int, list[str]] = defaultdict(list)
        for turn in self.turns:
            by_version[turn.rulebook_version].append(turn.stream)
        for version, streams in by_version.items():
            for where in (cases.c.marked, cases.c.rulebook < version):
                query = select(cases.c.stream, cases.c.case).where(cases.c.stream.in_(streams), where).limit(limit)
                yield from ((row.stream, row.case) for row in self._connection.execute(query).all())

    def write(self) -> None:
        """Write everything the turns took and concluded, and move their positions."""
        connection, turns = self._connection, self.turns
        self._pass_on()
        JournalTail.write(connection, [turn.tail for turn in turns])
        rejects.write(connection, [row for turn in turns for row in turn.rejects])
        relays.tell(connection, "rejected", [each for turn in turns for each in turn.refusals])
        texts.write(connection, [row for turn in turns for row in turn.texts])
        Changes.write(connection, [turn.changes for turn in turns])
        judging.save_states(connection, {turn.stream: turn.changed_states for turn in turns})
        for turn in turns:
            turn.settle_silences()
        self._note_live()
        save_positions(connection, {turn.stream: turn.moved() for turn in turns})

    def _note_live(self) -> None:
        """Write down which sources the streams have heard to be live; last of all, for it keeps others waiting."""
        heard: dict[str, list[str]] = defaultdict(list)
        for turn in self.turns:
            for source in turn.heard:
                heard[source].append(turn.stream)
        note_live(self._connection, heard)

    def memories(self) -> list[Memory]:
        """Give what each turn leaves to be remembered, once everything is written."""
        due = {turn.stream: turn.next_due() for turn in self.turns}
        # Who does not know what is due needs to only when time passes again.
        missed = [turn.stream for turn in self.turns if due[turn.stream] is None and turn.known_due is not None]
        due |= judging.earliest_changes(self._connection, missed)
        return [turn.memory(due[turn.stream]) for turn in self.turns]

    def _pass_on(self) -> None:
        """Bring to other streams what concerns them: passed on twice it is a duplicate, not passed on it is lost."""
        told = [turn.elsewhere for turn in self.turns if turn.elsewhere]
        if told:
            neighbours = self.turns[0].neighbours
            assert neighbours is not None, "what belongs elsewhere is looked for only beside other streams"
            neighbours.pass_on(told)

    def _load(self, wanted: Sequence[Collection[str]]) -> list[dict[str, Standing]]:
        """Read the cases that each turn wants; of one that is not known nothing stands yet."""
        standings = [{name: Standing(name) for name in names} for names in wanted]
        wanted_by: dict[str, list[tuple[Turn, Standing]]] = defaultdict(list)
        for turn, some in zip(self.turns, standings, strict=True):
            for name, standing in some.items():
                wanted_by[name].append((turn, standing))
        names = list(wanted_by)
        for start in range(0, len(names), CHUNK):
            query = select(*_COLUMNS).where(cases.c.case.in_(names[start : start + CHUNK]))
            for row in self._connection.execute(query).all():
                for turn, standing in wanted_by[row.case]:
                    if row.stream == turn.stream:
                        _fill(standing, row)
                    else:
                        # Known where it belongs, and of no concern here: what came here of it is passed on.
                        assert not turn.is_home(row.case), f"case {row.case} belongs to stream {row.stream}"
        return standings

    def _known_heartbeats(self, admitted: Sequence[Sequence[Admitted]]) -> dict[str, set[Identity]]:
        """Read which of these heartbeats, and perhaps others, are in the journal of each stream."""
        known: dict[str, set[Identity]] = {turn.stream: set() for turn in self.turns}
        wanted = [
            (turn.stream, each.event)
            for turn, some in zip(self.turns, admitted, strict=True)
            for each in some
            if each.event.case is None
        ]
        streams, names = sorted({stream for stream, _ in wanted}), sorted({event.source for _, event in wanted})
        ids = sorted({event.id for _, event in wanted})
        columns = (journal.c.stream, journal.c.source, journal.c.id, journal.c.content_hash)
        for start in range(0, len(ids), CHUNK):
            query = select(*columns).where(
                journal.c.stream.in_(streams),
                journal.c.case.is_(None),
                journal.c.source.in_(names),
                journal.c.id.in_(ids[start : start + CHUNK]),
            )
            for row in self._connection.execute(query):
                known[row.stream].add((row.source, row.id, row.content_hash))
        return known


def _fill(standing: Standing, row: Any) -> None:
    standing.written = unpack_written(row.events)
    standing.entries = entries_of(standing.written)
    standing.before = unpack_assessment(row.assessment)
    standing.live = row.live
