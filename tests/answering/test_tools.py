"""The tools: values as the tables have them, and never a row of another user."""

import pytest

from pipeline.answering.tools import Account, Shop
from tests.small_shop import ANN, BOB, CANARY, CAT, Source, rows


@pytest.fixture
def source():
    return Source(rows())


@pytest.fixture
def shop(source):
    return Shop(source)


def told(account):
    """All that an account's tools give."""
    return repr((account.orders, account.recommended(), account.offers(), account.profile(), account.bought))


def test_an_item_is_told_as_it_stands(shop):
    row = shop.item("10001")
    assert (row["price_cents"], row.fact("price_cents").shown, row.fact("title").key) == (39, "0.39 USD", "10001")
    assert shop.item("99999") is None


def test_opinions_are_of_the_item_as_a_whole(shop):
    assert shop.opinion("10001").fact("mentions").shown == "12"
    assert shop.opinion("10002") is None


def test_popular_items_may_be_shown_and_are_not_suppressed():
    given = rows()
    given["item_sentiment"][0]["is_suppressed"] = True
    assert [row.key for row in Shop(Source(given)).popular()][:2] == ["10002", "10003"]
    assert [row.key for row in Shop(Source(rows())).popular()] == ["10001", "10002", "10003", "10005", "10006"]


def test_what_goes_with_an_item_is_what_the_table_says_of_items_not_of_baskets(shop):
    assert [(place["reason"], item.key) for place, item in shop.goes_with("10001")] == [
        ("Together in 9 baskets", "10003")
    ]
    assert shop.goes_with(BOB) == []


def test_campaigns_are_those_of_the_shop_not_its_segments():
    given = rows()
    segment = dict(given["ad_audience_summary"][0], campaign_id="segment:tea")
    given["ad_audience_summary"].append(segment)
    assert [row.key for row in Shop(Source(given)).campaigns] == ["18"]


def test_orders_come_latest_first_with_their_items(source, shop):
    first, second = Account(source, shop, ANN).orders
    assert (first.row["order_id"], [(item.key, pieces) for item, pieces in first.lines]) == (
        "900001", [("10001", 1), ("10003", 2)]
    )  # fmt: skip
    assert first.row.fact("order_cents").shown == "2.00 USD"
    assert second.row["order_rank"] == 2


def test_the_latest_order_with_an_item_is_found(source, shop):
    order, item = Account(source, shop, ANN).last_with(frozenset({"10003"}))
    assert (order.row["order_id"], item.key) == ("900001", "10003")
    assert Account(source, shop, ANN).last_with(frozenset({"10007"})) is None


def test_recommendations_and_offers_are_those_of_the_tables(source, shop):
    mine = Account(source, shop, ANN)
    assert [item.key for _place, item in mine.recommended()] == ["10003", "10001"]
    assert [(campaign.key, item.key) for _place, campaign, item in mine.offers()] == [("18", "10002")]


@pytest.mark.parametrize("number", [f"{CANARY}-700001", "700002", f"{CANARY}-800001", "", "900001 or 700002"])
def test_an_order_of_somebody_else_is_as_unknown_as_one_that_never_was(source, shop, number):
    assert Account(source, shop, ANN).order(number) is None


@pytest.mark.parametrize("filters", [True, False])
def test_no_tool_gives_another_users_row_even_where_a_source_forgets_to_filter(filters):
    source = Source(rows(), filters)
    mine = told(Account(source, Shop(source), ANN))
    assert CANARY not in mine
    assert "900001" in mine
    assert CANARY in told(Account(source, Shop(source), BOB))


def test_a_user_of_whom_nothing_is_known_gets_nothing(source, shop):
    nobody = Account(source, shop, "d" * 32)
    assert (nobody.orders, nobody.recommended(), nobody.offers(), nobody.profile()) == ([], [], [], None)
    assert Account(source, shop, CAT).profile() is None
