"""H&M: rows to its published schema."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

FIRST = date(2018, 9, 20)
FILES = {
    "transactions_train.csv": """t_dat,customer_id,article_id,price,sales_channel_id
2018-09-20,000058a1,0663713001,0.05083050847,2
2018-09-20,000058a1,0663713001,0.05083050847,2
2018-09-21,00007d2d,0505221004,0.01523728813,1
""",
    "articles.csv": """article_id,prod_name,product_type_name,product_group_name,index_group_name,detail_desc
0663713001,Atlanta Push,Underwear body,Underwear,Ladieswear,"Lace push-up body, with cups."
0505221004,Strap top,Vest top,Garment Upper body,Ladieswear,
""",
    "customers.csv": """customer_id,FN,Active,club_member_status,fashion_news_frequency,age,postal_code
000058a1,,,ACTIVE,NONE,24.0,52043ee2
00007d2d,1,1,ACTIVE,Regularly,,2973abc5
0000aaaa,1,1,ACTIVE,Regularly,65,2973abc5
""",
}


def test_events_items_and_users(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    source = dump("hm", FILES, FIRST)
    assert source.days() == (FIRST, date(2018, 9, 21))
    events = sorted(rows(source, "events"), key=lambda row: (row["ds"], row["event_id"]))
    assert len({row["event_id"] for row in events}) == 3
    assert {k: v for k, v in events[2].items() if k != "event_id"} == {
        "user_id": "00007d2d", "ts": datetime(2018, 9, 21, 12, tzinfo=UTC), "kind": "purchase", "item_id": "0505221004",
        "surface": "store", "device": "store", "quantity": 1, "ds": date(2018, 9, 21),
    }  # fmt: skip
    assert not {"surface", "device", "amount_cents"} & events[0].keys()
    assert rows(source, "items")[1] == {
        "item_id": "0663713001", "title": "Atlanta Push", "title_is_composed": False,
        "description": "Lace push-up body, with cups.", "category": "Ladieswear > Underwear > Underwear body",
        "price_is_derived": False, "sold_by_measure": False, "ds": FIRST,
    }  # fmt: skip
    assert [(row["user_id"], row.get("age_band")) for row in rows(source, "users")] == [
        ("000058a1", "19-24"), ("00007d2d", None), ("0000aaaa", "65+"),
    ]  # fmt: skip
