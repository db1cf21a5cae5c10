"""Any adapter offers what ingest asks for."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts.feeds import FEEDS
from pipeline.settings import LandingSettings, Shop, load_shop
from pipeline.shops.source import Arrivals, RefusedFile, Source, open_source

EVENTS = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
ADAPTERS = {
    "grocer": {"events", "items", "users", "campaigns", "contacts", "placements"},
    "feeds": set(FEEDS),
    "rees46": {"events", "items"},
}


def shop(adapter: str, folder: Path) -> Shop:
    """The grocer's settings on the package's files, or on a file a feed."""
    base = load_shop("grocer").model_copy(update={"max_users": 3})
    if adapter == "grocer":
        return base
    for feed in FEEDS:
        drop = folder / feed / f"ds={base.first_day}"
        drop.mkdir(parents=True)
        (drop / "rows.csv").write_text(",".join(FEEDS[feed].raw.names) + "\n")
    (folder / "month.csv").write_text(EVENTS + "2017-01-05 10:00:00 UTC,view,7,1,,,1.99,u,s\n")
    landing = LandingSettings(path=str(folder), layout=adapter)
    return base.model_copy(update={"adapter": "landing", "landing": landing})


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_brings_its_feeds_with_all_columns_and_no_other(
    adapter: str, connection: Any, tmp_path: Path
) -> None:
    of = shop(adapter, tmp_path)
    source: Source = open_source(of, connection)
    first, last = source.days()
    assert of.first_day <= first <= last
    assert source.arrivals("weather", None, last, {}) is None
    for feed in FEEDS.values():
        arrived = source.arrivals(feed.name, None, last, {})
        assert (arrived is not None) == (feed.name in ADAPTERS[adapter])
        if arrived is None:
            continue
        have = arrived.rows.limit(0).to_pyarrow().schema
        assert set(have.names) - {"origin", "misread"} == {*feed.raw.names, "ds"}
        assert have.field("ds").type == pa.date32()
        if not arrived.text:
            assert {item.name: have.field(item.name).type for item in feed.raw.schema} == {
                item.name: item.type for item in feed.raw.schema
            }


def test_what_arrives_does_not_change_in_the_hands_of_those_who_read_it() -> None:
    refused = RefusedFile("a", "0", date(2020, 1, 1), "torn", "half")
    arrived = Arrivals(None, {"a": "0"}, (refused,))
    with pytest.raises(AttributeError):
        arrived.files = {}
    assert replace(refused, words="cut") != refused
