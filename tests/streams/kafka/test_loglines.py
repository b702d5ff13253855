"""Whatever a worker says is one line of JSON."""

import subprocess
import sys

import msgspec

SAYS = """
import logging, structlog
from streams.kafka.loglines import write_json_lines
log = structlog.get_logger("before")
write_json_lines()
log.info("ready", partitions=[1, 2])
log.error("could not commit; trying again", partition=7, offset=41, error="磁盘已满")
logging.getLogger("aiokafka.consumer").info("joining")
logging.getLogger("aiokafka.consumer").warning("heartbeat failed for group %s\\nagain", "supervision")
try:
    1 / 0
except ZeroDivisionError:
    log.critical("the worker failed", exc_info=True)
"""


def test_every_line_is_a_document_with_time_and_level() -> None:
    """Ours, those of libraries from warnings on, and failures with their trace; partition and offset are fields."""
    said = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, text=True, check=True)
    assert said.stdout == ""
    lines = [msgspec.json.decode(line) for line in said.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["info", "error", "warning", "critical"]
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert lines[0]["event"] == "ready"
    assert (lines[1]["partition"], lines[1]["offset"], lines[1]["error"]) == (7, 41, "磁盘已满")
    assert (lines[2]["logger"], lines[2]["event"]) == (
        "aiokafka.consumer",
        "heartbeat failed for group supervision\nagain",
    )
    assert "ZeroDivisionError" in lines[3]["exception"]
