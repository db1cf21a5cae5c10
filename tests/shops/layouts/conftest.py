"""A public data set's files, written by hand, as arrivals."""

import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.contracts.feeds import FEEDS
from pipeline.feeds import drift
from pipeline.settings import Shop
from pipeline.shops.dump import Dump

END = date(2030, 1, 1)


@pytest.fixture
def dump(landing_shop: Callable[..., Shop], connection: Any) -> Any:
    """Opens a layout over files by name; `first_day` as given."""
    opened = []

    def made(layout: str, files: dict[str, str], first_day: date, path: Path | None = None) -> Dump:
        shop = landing_shop(layout=layout, **({"path": str(path)} if path else {}))
        assert shop.landing is not None
        for name, text in files.items():
            data = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
            Path(shop.landing.path, name).write_bytes(data)
        opened.append(Dump(shop.model_copy(update={"first_day": first_day}), connection))
        return opened[-1]

    yield made
    for source in opened:
        source.intake.parser.close()


@pytest.fixture
def rows() -> Callable[..., list[dict[str, Any]]]:
    """A feed's rows by key without nulls, as the contract types them; nothing in them may differ from it."""

    def found(source: Dump, feed: str, after: date | None = None, upto: date = END) -> list[dict[str, Any]]:
        arrived = source.arrivals(feed, after, upto, {})
        assert arrived is not None
        held, notes = drift.conform(arrived.rows, FEEDS[feed], text=arrived.text)
        assert notes == []
        contract = {*FEEDS[feed].raw.names, "ds", "origin", "misread"}
        listed = held.order_by(*FEEDS[feed].raw.key, "ds", "origin").to_pyarrow().to_pylist()
        return [{k: v for k, v in row.items() if v is not None and k in contract} for row in listed]

    return found
