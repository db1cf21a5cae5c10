"""One run of one shop's business day, and where its files lie."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline import state
from pipeline.errors import ConfigError
from pipeline.settings.shop import Shop, load_shop


@dataclass(frozen=True)
class Night:
    """One run of one shop's business day, and the folders it owns. Everything a stage needs beyond its inputs."""

    shop: Shop
    day: date
    home: Path
    run: str = "night"

    @property
    def root(self) -> Path:
        """All of the shop's files."""
        return self.home / self.shop.name

    @property
    def feeds(self) -> Path:
        """Clean arrivals and their quarantine, one folder a feed and day; kept from night to night."""
        return self.root / "feeds"

    @property
    def embeddings(self) -> Path:
        """Text vectors by encoder version and content hash; kept from night to night."""
        return self.root / "embeddings"

    @property
    def models(self) -> Path:
        """The model store: one immutable folder a version."""
        return self.root / "models"

    @property
    def warehouse(self) -> Path:
        """Published snapshots."""
        return self.root / "warehouse"

    @property
    def work(self) -> Path:
        """This run's intermediate results."""
        return self.root / "work" / f"{self.day}-{self.run}"

    @property
    def record(self) -> Path:
        """This night's notes, plots, Data Docs and report."""
        return self.root / "nights" / f"{self.day}-{self.run}"


def any_home() -> Path:
    """The folder that holds all shops' data: `SHOPKEEL_HOME`, else `var` in the working directory."""
    return Path(os.environ.get("SHOPKEEL_HOME") or "var").resolve()


def home() -> Path:
    """The same, if its state is of a version that this code can use.

    Raises:
        ConfigError: it is newer, or too old.
    """
    return state.accepted(any_home())


def open_night(shop: str, day: str | date, run: str = "night") -> Night:
    """The night of one shop and business day.

    Raises:
        ConfigError: unknown shop, bad settings, a day that is not YYYY-MM-DD, or a home of another version.
    """
    try:
        parsed = day if isinstance(day, date) else date.fromisoformat(day)
    except ValueError as error:
        raise ConfigError(f"date '{day}': not a day; write it as YYYY-MM-DD") from error
    return Night(shop=load_shop(shop), day=parsed, home=home(), run=run)
