"""Deliver one application, made now: `MONITOR_KEY=esm_… python samples/emit.py`; no failure after `emit` loses it."""

import os
from datetime import UTC, datetime
from pathlib import Path

from streams.emit import Emitter

url, now = os.environ.get("MONITOR_URL", "http://127.0.0.1:8450"), datetime.now(UTC)
with Emitter(url, Path("spool.sqlite"), key=os.environ.get("MONITOR_KEY")) as emitter:
    place = {"region": "450900", "item": "AJJ-002", "department": "AJJ"}
    step = {"id": "1", "source": "hall", "type": "apply", "time": now.isoformat(), "case": f"EMIT-{now:%Y%m%d-%H%M%S}"}
    emitter.emit(step | place)
