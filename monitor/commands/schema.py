"""`monitor schema`: what an event is, for whoever builds a sender, and what those downstream are told."""

from enum import StrEnum
from typing import Annotated

import typer

from monitor.commands.options import JsonOption, print_document


class Described(StrEnum):
    """What is described."""

    EVENT = "event"
    FINDING = "finding"
    REJECT = "reject"


def schema(
    of: Annotated[Described, typer.Argument(help="An event, or a message of a topic downstream.")] = Described.EVENT,
    as_json: JsonOption = True,
) -> None:
    """Print the JSON Schema of an event, or of what systems downstream are told of findings and rejects."""
    import msgspec

    from monitor.events import schema as event_schema
    from monitor.ledger.relays import FindingMessage, RejectMessage

    if of is Described.EVENT:
        print_document(event_schema())
    else:
        print_document(msgspec.json.schema(FindingMessage if of is Described.FINDING else RejectMessage))
