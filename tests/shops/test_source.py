"""Any adapter offers what ingest asks for."""

from typing import Any, get_args

import pyarrow as pa
import pytest

from pipeline.contracts.feeds import FEEDS
from pipeline.settings import Shop, load_shop
from pipeline.shops.source import Source, open_source

ADAPTERS = get_args(Shop.model_fields["adapter"].annotation)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_brings_the_feeds_in_their_raw_form(adapter: str, connection: Any) -> None:
    shop = load_shop(adapter).model_copy(update={"adapter": adapter, "max_users": 3})
    source: Source = open_source(shop, connection)
    first, last = source.days()
    assert shop.first_day <= first <= last
    assert source.arrivals("weather", None, last) is None
    for feed in FEEDS.values():
        rows = source.arrivals(feed.name, None, first)
        assert rows is not None and set(rows.columns) == {*feed.raw.names, "ds"}
        have = rows.limit(0).to_pyarrow().schema
        assert {f.name: have.field(f.name).type for f in feed.raw.schema} == {f.name: f.type for f in feed.raw.schema}
        assert have.field("ds").type == pa.date32()
