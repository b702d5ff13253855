"""Settings of a deployment, from the environment: every one is called `MONITOR_…`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from monitor.language import Lang


class Settings(BaseSettings):
    """Where this deployment keeps its data, and which language it speaks unless told otherwise."""

    model_config = SettingsConfigDict(env_prefix="MONITOR_", env_file=".env", extra="ignore")

    data: Path = Path("data")
    """The data directory: ledger and keys, unless placed elsewhere."""
    ledger: str | None = None
    """Database URL of the ledger, SQLite or PostgreSQL; by default an SQLite file in the data directory."""
    lang: Lang = "zh"
    seal_key: Path | None = None
    """File with the key of seals; by default `seal.key` beside the ledger."""
    text_key: Path | None = None
    """File with the key of the marks of texts, which ledgers must share to agree; by default `texts.key` beside it."""
    reject_days: float = Field(default=30, gt=0, le=3650)
    """How many days what was rejected can be looked into; then its bytes are deleted."""

    @property
    def ledger_url(self) -> str:
        """The ledger's database URL."""
        return self.ledger or f"sqlite:///{self.data / 'ledger.sqlite'}"
