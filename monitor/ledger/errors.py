"""What can be wrong with a ledger, or with what is asked of it."""

from monitor.language import Lang, text


class LedgerError(RuntimeError):
    """A ledger that cannot be used as asked; the message says what was found and what to do."""


class Refusal(LedgerError):
    """What somebody may not do, or not so: a text of the catalogue that says why and what to do instead."""

    def __init__(self, key: str, **params: object) -> None:
        self.key, self.params = key, params
        super().__init__(self.say("en"))

    def say(self, lang: Lang) -> str:
        """Say it in a language."""
        return text(self.key, lang, **self.params)
