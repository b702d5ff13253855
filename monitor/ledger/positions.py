"""The position of a stream: which writer, how far, and where its journal ends."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, select

from monitor.events import TIME_MIN
from monitor.ledger.journal import genesis
from monitor.ledger.schema import positions
from monitor.ledger.upsert import insert_new, upsert


class Position(msgspec.Struct):
    """How far a stream has come: `epoch` counts writers, `version` transactions, `next` is the delivery awaited.

    `seq` and `chain_hash` are those of the journal's last row.
    """

    epoch: int
    version: int
    next: int
    horizon: datetime
    seq: int
    chain_hash: bytes


def lock_positions(connection: Connection, streams: Collection[str]) -> dict[str, Position]:
    """Read the positions of those streams that have one, and keep every other writer out until the transaction ends.

    Must come before anything else is read: what was read earlier may be another writer's past. Locked in the order of
    their names, so that no two writers wait for each other.
    """
    of_streams = positions.c.stream.in_(sorted(streams))
    rows = connection.execute(select(positions).where(of_streams).order_by(positions.c.stream).with_for_update())
    return {
        row.stream: Position(row.epoch, row.version, row.next, row.horizon, row.seq, row.chain_hash) for row in rows
    }


def hold_writers(connection: Connection) -> None:
    """Wait for the transaction of every stream's writer, and keep them out until this one ends.

    For whoever changes what all of them read or write, as a publication does. SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE positions IN EXCLUSIVE MODE")


def take_over(connection: Connection, stream: str) -> Position:
    """Become the stream's writer: return where it stands; whoever wrote before is fenced from now on."""
    nothing_taken = Position(0, 0, 0, TIME_MIN, 0, genesis(stream))
    insert_new(connection, positions, [{"stream": stream, **msgspec.structs.asdict(nothing_taken)}])
    position = lock_positions(connection, [stream])[stream]
    position.epoch += 1
    save_positions(connection, {stream: position})
    return position


def save_positions(connection: Connection, changed: Mapping[str, Position]) -> None:
    """Write the positions of streams."""
    rows = [{"stream": stream, **msgspec.structs.asdict(changed[stream])} for stream in sorted(changed)]
    upsert(connection, positions, rows)


def horizon_of(connection: Connection, stream: str) -> datetime | None:
    """Give the horizon of a stream; None: no writer of it was ever here."""
    query = select(positions.c.horizon).where(positions.c.stream == stream)
    horizon: datetime | None = connection.execute(query).scalar_one_or_none()
    return horizon


def common_horizon(connection: Connection) -> datetime | None:
    """Give the instant up to which every stream was read that was read at all; None: nothing was ever read.

    Whatever is counted over all streams belongs to this instant, however far some of them have gone on.
    """
    query = select(func.min(positions.c.horizon)).where(positions.c.horizon > TIME_MIN)
    horizon: datetime | None = connection.execute(query).scalar_one()
    return horizon


def last_horizon(connection: Connection) -> datetime | None:
    """Give the largest horizon of all streams, beyond which nothing was judged; None: no writer was ever here."""
    horizon: datetime | None = connection.execute(select(func.max(positions.c.horizon))).scalar_one()
    return horizon
