"""The ledger: every event, what was concluded from it, and the proof that neither was changed afterwards.

`Ledger` opens it and reads it; `stream_state`, `judging` and `changes` are what an engine writes it with; `verify`,
`digest` and `seal` check it. Nothing here decides whether a case is late: that is `monitor.assessment`.
"""

from monitor.ledger.access import Ledger
from monitor.ledger.errors import LedgerError
from monitor.ledger.lease import Lease, LeaseHeld

__all__ = ["Lease", "LeaseHeld", "Ledger", "LedgerError"]
