"""What is wrong with the broker of a command, or with how it is to be reached."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from monitor.commands.options import EXIT_UNUSABLE, err
from monitor.language import Lang

if TYPE_CHECKING:
    from streams.kafka.settings import KafkaSettings


@contextmanager
def broker(lang: Lang) -> Iterator["KafkaSettings"]:
    """Give the settings of the broker; what is wrong with them, it or its topic is said, and the command ends."""
    from pydantic import ValidationError

    from streams.kafka.connecting import BrokerUnusable
    from streams.kafka.identity import TopicUnusable
    from streams.kafka.settings import KafkaSettings

    try:
        settings = KafkaSettings()
        if not settings.bootstrap:
            raise BrokerUnusable("kafka.no_servers")
        yield settings
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            _say(": ".join([*map(str, fault["loc"]), fault["msg"]]))
    except BrokerUnusable as error:
        _say(error.say(lang))
    except TopicUnusable as error:
        _say(str(error))
    else:
        return
    raise typer.Exit(EXIT_UNUSABLE)


def _say(what: str) -> None:
    err.print(what, style="red", markup=False)
