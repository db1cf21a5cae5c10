"""RetailRocket: rows to its published schema."""

from collections.abc import Callable
from datetime import date
from typing import Any

FIRST = date(2015, 5, 3)
FILES = {
    "events.csv": """timestamp,visitorid,event,itemid,transactionid
1430622004384,257597,view,355908,
1430622004384,257597,view,355908,
1430708404384,257597,addtocart,355908,
1430708504384,257597,transaction,355908,4000
""",
    "item_properties_part1.csv": """timestamp,itemid,property,value
1430708000000,355908,categoryid,1338
1430708000001,355908,available,1
1430708000002,355908,888,n277.200
""",
    "item_properties_part2.csv": """timestamp,itemid,property,value
1430794804384,355908,available,0
1430794804385,9,categoryid,77
""",
    "category_tree.csv": "categoryid,parentid\n1338,16\n16,\n5,6\n6,5\n",
}


def test_events_and_items(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    source = dump("retailrocket", FILES, FIRST)
    assert source.days() == (FIRST, date(2015, 5, 4))
    events = rows(source, "events")
    assert len({row["event_id"] for row in events}) == 4
    assert sorted((row["kind"], row.get("basket_id"), row.get("quantity")) for row in events if "basket_id" in row) == [
        ("purchase", "4000", 1)
    ]
    items = [(row["item_id"], row["ds"].day, row.get("category"), row.get("in_stock")) for row in rows(source, "items")]
    assert items == [
        ("355908", 3, None, None),
        ("355908", 4, "category 16 > category 1338", True),
        ("355908", 5, "category 16 > category 1338", False),
        ("9", 5, "category 77", None),
    ]


def test_without_properties_items_are_those_of_the_events(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    source = dump("retailrocket", {"events.csv": FILES["events.csv"]}, FIRST)
    assert [(row["item_id"], row["title"]) for row in rows(source, "items")] == [("355908", "Item 355908")]
