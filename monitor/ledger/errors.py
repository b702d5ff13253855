"""What can be wrong with a ledger before any event is looked at."""


class LedgerError(RuntimeError):
    """A ledger that cannot be used as asked; the message says what was found and what to do."""
