"""What a worker says while it runs: one line of JSON for each thing, with partition and offset where it is about one.

Faust and the Kafka clients say theirs in the same form, warnings and worse.
"""

import logging
import sys
from typing import Final, TextIO

import structlog

_TOLD: Final = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)


def write_json_lines(to: TextIO | None = None) -> None:
    """Have everything this process logs written as lines of JSON, by default to standard error."""
    to = to or sys.stderr
    written = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    structlog.configure(processors=[*_TOLD, written], logger_factory=structlog.WriteLoggerFactory(to))
    handler = logging.StreamHandler(to)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_TOLD],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, written],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
