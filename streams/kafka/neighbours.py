"""The other partitions of the topic, seen from one: what belongs there, and how it gets there."""

from collections.abc import Sequence

from streams.kafka.meters import WorkerMeters
from streams.kafka.partitions import partition_of
from streams.kafka.producing import Producer
from streams.kafka.records import Control, Outgoing, Said, control, copies, in_turn, outgoing
from streams.neighbours import Elsewhere


class OtherPartitions:
    """The partitions beside `home`, of `count`."""

    def __init__(self, producer: Producer, topic: str, count: int, home: int, meters: WorkerMeters) -> None:
        self._producer, self._topic, self._count, self._home = producer, topic, count, home
        self._meters = meters

    def is_home(self, case: str) -> bool:
        """Tell whether a case belongs to this partition, whatever the key it was produced with."""
        return partition_of(case, self._count) == self._home

    def pass_on(self, told: Sequence[Elsewhere]) -> None:
        """Produce what concerns the others, and wait until the broker has it. Raises Unsent."""
        for turn in in_turn([record for each in told for record in self._records(each)]):
            self._producer.deliver(turn)
        for each in told:
            self._meters.passed_on(each)

    def _records(self, elsewhere: Elsewhere) -> list[Outgoing]:
        topic, count = self._topic, self._count
        home = int(elsewhere.stream.removeprefix(f"{topic}/"))
        records = [outgoing(delivery, case, topic, count) for case, delivery in elsewhere.misplaced]
        for heartbeat in elsewhere.heartbeats:
            records += copies(heartbeat, topic, count, home)
        for source in elsewhere.live:
            word = Said(source)
            records += [control(Control.LIVE, topic, each, word) for each in range(count) if each != home]
        return records
