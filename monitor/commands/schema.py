"""`monitor schema`: what an event is, for whoever builds a sender."""

from monitor.commands.options import JsonOption, print_document


def schema(as_json: JsonOption = True) -> None:
    """Print the JSON Schema of an event."""
    from monitor.events import schema as event_schema

    print_document(event_schema())
