"""By number or by key, a night is recounted to the same findings."""

import pyarrow as pa
import pytest

from pipeline.audit.numbers import Numbers
from pipeline.audit.promises import Part, promises


def test_numbers_are_places_among_all_that_is_named() -> None:
    lists = pa.table({"user_key": ["b", "a", None], "item_id": ["y", "x", "y"], "rank": [1, 2, 3]})
    carts = pa.table({"context_id": ["c", "y"], "item_id": ["z", "x"]})
    numbers = Numbers.of([lists, carts])
    assert (numbers.users.to_pylist(), numbers.items.to_pylist()) == (["a", "b", "c", "y"], ["x", "y", "z"])
    found = numbers.tables({"lists": lists, "carts": carts})
    assert found["lists"].to_pydict() == {"user_key": [1, 0, None], "item_id": [1, 0, 1], "rank": [1, 2, 3]}
    assert found["carts"].to_pydict() == {"context_id": [2, 3], "item_id": [2, 0]}
    assert numbers.of_users(pa.array(["c", "nobody"])) == [2]
    assert numbers.of_items(pa.array(["z", "nothing", "x"])) == [2, 0]
    assert Numbers.of([]).of_users(pa.array(["a"])) == []


def table(rows):
    keys = {name: pa.array(rows[name].tolist(), pa.string()) for name in ("user_key", "item_id") if name in rows}
    return pa.table({name: keys.get(name, pa.array(rows[name])) for name in rows})


@pytest.mark.parametrize("nights", [1, 3])
def test_findings_are_those_by_key(make_shop, nights) -> None:
    shop = make_shop(5, nights)
    world = shop.world()
    goods, taken = (table(one) for one in (world.items, world.taken))
    numbers = Numbers.of([*shop.tonight.values(), *shop.last.values(), goods, taken])
    by_number = shop.world(
        active=numbers.of_users(pa.array(world.active)),
        readable=numbers.of_users(pa.array(world.readable)),
        items=numbers.table(goods).to_pandas(),
        taken=numbers.table(taken).to_pandas(),
    )
    found = promises([Part(numbers.tables(shop.tonight), numbers.tables(shop.last), by_number)])
    assert (
        found.equals(promises([Part(shop.tonight, shop.last, world)])) and sum(found.column("cases").to_pylist()) > 1000
    )
