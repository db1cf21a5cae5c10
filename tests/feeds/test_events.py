"""Cleaning of events: at each bound the last good value passes and the first bad one does not."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipeline.contracts.feeds import DEVICES, KINDS, MAX_PIECES, SURFACES, Reason

Judge = Callable[..., list[str | None]]


def test_bounds(judge: Judge) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"amount_cents": 1}, None),
        ({"amount_cents": 0}, Reason.NON_POSITIVE_AMOUNT),
        ({"quantity": 1}, None),
        ({"quantity": 0}, Reason.NON_POSITIVE_QUANTITY),
        ({"quantity": MAX_PIECES}, None),
        ({"quantity": MAX_PIECES + 1}, Reason.IMPLAUSIBLE_QUANTITY),
        ({"price_cents": 0}, None),
        ({"price_cents": -1}, Reason.NEGATIVE_PRICE),
        ({"price_cents": None}, None),
        ({"kind": "rating", "rating": 0.0}, None),
        ({"kind": "rating", "rating": 5.0}, None),
        ({"kind": "rating", "rating": 5.01}, Reason.RATING_OUT_OF_RANGE),
        ({"kind": "rating", "rating": -0.01}, Reason.RATING_OUT_OF_RANGE),
        ({"kind": "rating", "rating": float("nan")}, Reason.RATING_OUT_OF_RANGE),
        ({"surface": None, "device": None}, None),
        ({"surface": "shelf"}, Reason.UNKNOWN_SURFACE),
        ({"device": "telex"}, Reason.UNKNOWN_DEVICE),
        ({"kind": "Purchase"}, Reason.UNKNOWN_KIND),
        ({"kind": ""}, Reason.UNKNOWN_KIND),
    ]
    assert judge("events", *(change for change, _ in cases)) == [reason for _, reason in cases]


def test_every_kind_surface_and_device_the_contract_lists_passes(judge: Judge) -> None:
    listed = {"kind": KINDS, "surface": SURFACES, "device": DEVICES}
    changes = [{name: value} for name, values in listed.items() for value in values]
    assert judge("events", *changes) == [None] * len(changes)


def test_only_purchases_need_an_item_a_quantity_and_an_amount(judge: Judge) -> None:
    bare = {"item_id": None, "quantity": None, "amount_cents": None}
    changes = [{"kind": "search", **bare}, *({name: None} for name in bare), {"kind": "view", "amount_cents": 0}]
    assert judge("events", *changes) == [None, *[Reason.MISSING_VALUE] * 3, None]


def test_time_lies_between_the_first_day_and_the_end_of_the_arrival_day(judge: Judge) -> None:
    first = datetime(2020, 3, 1, 5, tzinfo=UTC)  # midnight in New York
    over = datetime(2020, 3, 11, 4, tzinfo=UTC)  # midnight after the arrival day, clocks changed in between
    moments = [first, first - timedelta(microseconds=1), over - timedelta(microseconds=1), over + timedelta(hours=2)]
    found = judge("events", *({"ts": at} for at in moments))
    assert found == [None, Reason.BEFORE_FIRST_DAY, None, Reason.AFTER_BUSINESS_DAY]


def test_the_first_reason_that_holds_is_the_one_noted(judge: Judge) -> None:
    order: list[tuple[str, dict[str, Any]]] = [
        (Reason.MISSING_VALUE, {"user_id": None}),
        (Reason.UNKNOWN_KIND, {"kind": "?"}),
        (Reason.UNKNOWN_SURFACE, {"surface": "?"}),
        (Reason.UNKNOWN_DEVICE, {"device": "?"}),
        (Reason.BEFORE_FIRST_DAY, {"ts": datetime(1970, 1, 1, tzinfo=UTC)}),
        (Reason.UNKNOWN_ITEM, {"item_id": "?"}),
    ]
    changes = [{key: value for _, change in order[n:] for key, value in change.items()} for n in range(len(order))]
    assert judge("events", *changes) == [reason for reason, _ in order]


def test_goods_sold_by_measure_count_as_one_piece_without_a_price(dock: Any) -> None:
    fuel = {"item_id": "fuel", "quantity": 14_870, "amount_cents": 4_000, "price_cents": 0}
    dock.bring("events", fuel, fuel | {"quantity": 0}, {"quantity": 3})
    dock.land()
    facts = [
        (row["item_id"], row["quantity"], row["amount_cents"], row["price_cents"]) for row in dock.published("events")
    ]
    assert facts == [("fuel", 1, 4_000, None), ("soap", 3, 300, 150)]
    assert dock.refused("events") == {"e1": Reason.NON_POSITIVE_QUANTITY}


def test_an_item_is_known_and_measured_from_its_arrival_on(dock: Any) -> None:
    """What arrives later changes nothing before it, landed in one drop or day by day."""
    days = [date(2020, 3, n) for n in (3, 4, 5)]
    dock.bring("items", {"item_id": "rice"}, ds=days[1])
    dock.bring("items", {"item_id": "rice", "sold_by_measure": True}, ds=days[2])
    for n, day in enumerate(days):
        noon = datetime(2020, 3, day.day, 17, tzinfo=UTC)
        dock.bring("events", {"event_id": f"rice{n}", "item_id": "rice", "quantity": 7, "ts": noon}, ds=day)
    daily = dock.again()
    for day in days:
        daily.land(upto=day)
    dock.land()
    for landed in (dock, daily):
        assert landed.refused("events") == {"rice0": Reason.UNKNOWN_ITEM}
        assert {row["event_id"]: row["quantity"] for row in landed.published("events")} == {"rice1": 7, "rice2": 1}


def test_without_a_catalogue_no_item_is_known(empty_dock: Any) -> None:
    empty_dock.bring("events", {}, {"kind": "search", "item_id": None})
    empty_dock.land()
    assert empty_dock.refused("events") == {"e0": Reason.UNKNOWN_ITEM} and empty_dock.counts("events") == (2, 1, 1, 0)
