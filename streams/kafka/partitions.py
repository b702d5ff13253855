"""Which partition of the topic a case belongs to: the choice of Kafka's own clients, made again."""

from functools import lru_cache
from typing import Final

from kafka.partitioner.default import murmur2

REMEMBERED: Final = 65_536
"""Cases whose partition need not be worked out again: their next event is seldom far away."""


@lru_cache(maxsize=REMEMBERED)
def partition_of(key: str, count: int) -> int:
    """Give the partition, of `count`, that records with this key belong to.

    Murmur2 over the key's UTF-8 bytes, as the clients in Java and kafka-python choose it by default; librdkafka's
    default differs (CRC32).
    """
    hashed: int = murmur2(key.encode())
    return (hashed & 0x7FFFFFFF) % count
