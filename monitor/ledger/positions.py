"""The position of a stream: which writer, how far, and where its journal ends."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, select, update

from monitor.events import TIME_MIN
from monitor.ledger.journal import genesis
from monitor.ledger.schema import positions
from monitor.ledger.upsert import insert_new


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


def lock_position(connection: Connection, stream: str) -> Position | None:
    """Read a stream's position and keep every other writer out until the transaction ends.

    Must come before anything else is read: what was read earlier may be another writer's past.
    """
    row = connection.execute(select(positions).where(positions.c.stream == stream).with_for_update()).one_or_none()
    if row is None:
        return None
    return Position(row.epoch, row.version, row.next, row.horizon, row.seq, row.chain_hash)


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
    position = lock_position(connection, stream)
    assert position is not None, "the row was just made, or was there"
    position.epoch += 1
    save_position(connection, stream, position)
    return position


def save_position(connection: Connection, stream: str, position: Position) -> None:
    """Write a stream's position."""
    connection.execute(update(positions).where(positions.c.stream == stream).values(**msgspec.structs.asdict(position)))


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
