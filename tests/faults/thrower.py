"""A producer without manners: it sends what our own refuse to send, as producers in other languages do."""

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.faults.poison import Poison

ANSWER_SECONDS = 20


class Thrower:
    """Throws poison into partitions of a topic, one record at a time. Belongs to one thread."""

    def __init__(self, servers: str, topic: str) -> None:
        self._servers, self._topic = servers, topic
        self._runner = asyncio.Runner()
        self._producer: AIOKafkaProducer | None = None

    def throw(self, poison: Poison, partition: int) -> bool:
        """Send one record; tell whether the broker has it. If it was not told, it may have it all the same."""
        try:
            self._runner.run(asyncio.wait_for(self._throw(poison, partition), ANSWER_SECONDS))
        except (KafkaError, TimeoutError):
            return False
        return True

    def close(self) -> None:
        """Close every connection."""
        if self._producer is not None:
            self._runner.run(self._producer.stop())
        self._runner.close()

    async def _throw(self, poison: Poison, partition: int) -> None:
        if self._producer is None:
            producer = AIOKafkaProducer(bootstrap_servers=self._servers, request_timeout_ms=5000)
            await producer.start()
            self._producer = producer
        batch = self._producer.create_batch()
        batch.append(timestamp=None, key=poison.key, value=poison.value, headers=list(poison.headers))
        batch.close()
        await (await self._producer.send_batch(batch, self._topic, partition=partition))
