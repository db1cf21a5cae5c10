"""What is known of users before a campaign: nothing of its own day or later, and each number by hand."""

from datetime import date, timedelta
from math import log, log1p
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pipeline.features import responses
from pipeline.features.history import Items
from pipeline.features.responses import NAMES, Campaign, Contacts, Lines, day_number
from pipeline.feeds import partitions

DAY = 18_000
USERS = pa.array(["u", "v", "w"])
TEXTS = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
CREATIVE = np.array([0, 1], np.float32)
LINE = st.tuples(*(st.integers(0, 2), st.integers(0, 2), st.integers(-200, 5), st.integers(1, 900), st.integers(0, 3)))
CONTACT = st.tuples(st.sampled_from(["c1", "c2"]), st.integers(0, 2), st.integers(-30, 5), st.booleans())


def campaign(*targets: int, name: str = "c") -> Campaign:
    return Campaign(name, "Campaign", "Type A", DAY, DAY + 20, np.array(targets, np.int64), "Coupons")


def lines(rows: list[tuple[int, ...]]) -> Lines:
    """From user, item, days from the campaign's first, cents, basket."""
    user, item, day, cents, basket = np.array(rows, np.int64).reshape(-1, 5).T
    return Lines(USERS, user, item, day + DAY, cents, basket)


def contacts(rows: list[tuple[Any, ...]]) -> Contacts:
    """From campaign, user, days from the campaign's first, whether it is a response."""
    names, user, day, responded = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Contacts(
        np.array(names, object), np.array(user, np.int64), np.array(day, np.int64) + DAY, np.array(responded, bool)
    )


def unit(vector: Any) -> Any:
    return np.asarray(vector) / max(float(np.linalg.norm(vector)), 1e-9)


def taste_by_hand(bought: list[Any], user: int) -> Any:
    long = [item for who, item, day, _, _ in bought if who == user and -180 <= day < 0]
    return unit(sum((TEXTS[item].astype(float) for item in long), np.zeros(2)))


def by_hand(aim: Campaign, bought: list[Any], reached: list[Any], user: int) -> dict[str, float]:
    """One user's features from plain rows."""
    targets = {int(item) for item in aim.targets if item >= 0}
    mine = [(item, -day, cents, basket) for who, item, day, cents, basket in bought if who == user and day < 0]
    recent, long = [row for row in mine if row[1] <= 90], [row for row in mine if row[1] <= 180]
    aimed = [row for row in long if row[0] in targets]
    sends = sum(who == user and day < 0 and not answer for _, who, day, answer in reached)
    answers = len({name for name, who, day, answer in reached if who == user and day < 0 and answer})
    wanted = unit(np.mean([TEXTS[item] for item in targets], axis=0) if targets else np.zeros(2))
    tastes = [taste_by_hand(bought, who) for who in range(3)]
    taste, everyone = tastes[user], np.mean(tastes, axis=0)
    answering = sorted({who for _, who, day, answer in reached if day < 0 and answer})
    towards = np.mean([tastes[who] for who in answering], axis=0) - everyone if answering else np.zeros(2)
    known = [(item, log(cents)) for _, item, day, cents, _ in bought if day < 0]
    usual = {item: np.mean([paid for one, paid in known if one == item]) for item, _ in known}
    return {
        "days_since_basket": log1p(min((row[1] for row in mine), default=360)),
        "baskets_90d": log1p(len({row[3] for row in recent})),
        "spend_90d": log1p(sum(row[2] for row in recent) / 100),
        "lines_per_basket_180d": log1p(len(long) / max(len({row[3] for row in long}), 1)),
        "price_paid_180d": sum(log(row[2]) - usual[row[0]] for row in long) / max(len(long), 1),
        "target_lines_180d": log1p(len(aimed)),
        "target_share_180d": len(aimed) / max(len(long), 1),
        "target_items_180d": log1p(len({row[0] for row in aimed})),
        "target_spend_180d": log1p(sum(row[2] for row in aimed) / 100),
        "target_items_60d": log1p(len({row[0] for row in mine if row[1] <= 60 and row[0] in targets})),
        "target_weight": log1p(sum(0.5 ** (row[1] / 30) for row in mine if row[0] in targets)),
        "sends_before": log1p(sends),
        "responses_before": log1p(answers),
        "response_rate_before": (answers + 0.1) / (sends + 1),
        "coupons_before": log1p(sum(who == user and day < 0 and answer for _, who, day, answer in reached)),
        "taste_of_targets": float(taste @ wanted),
        "taste_of_creative": float(taste @ CREATIVE),
        "taste_of_responders": float((taste - everyone) @ unit(towards)),
        "targets": log1p(len(targets)),
        "campaign_days": log1p(20),
    }


def features(aim: Campaign, bought: list[Any], reached: list[Any]) -> np.ndarray:
    return responses.features(aim, DAY, lines(bought), contacts(reached), TEXTS, CREATIVE)


BOUGHT = st.lists(LINE, max_size=12)


@settings(max_examples=60)
@given(bought=BOUGHT, reached=st.lists(CONTACT, max_size=8), targets=st.sets(st.integers(-1, 2)))  # -1: in no catalogue
def test_each_number_by_hand(bought: list[Any], reached: list[Any], targets: set[int]) -> None:
    aim = campaign(*sorted(targets))
    found = features(aim, bought, reached)
    assert found.shape == (3, len(NAMES)) and np.isfinite(found).all()
    for user in range(3):
        expected = by_hand(aim, bought, reached, user)
        assert tuple(expected) == NAMES
        assert_allclose(found[user], list(expected.values()), rtol=1e-4, atol=1e-5)


@settings(max_examples=60)
@given(data=st.data(), bought=BOUGHT, reached=st.lists(CONTACT, max_size=8))
def test_nothing_of_the_day_itself_or_later_is_seen_nor_the_order_of_rows(
    data: st.DataObject, bought: list[Any], reached: list[Any]
) -> None:
    later = [row for row in (*bought, *data.draw(BOUGHT)) if row[2] >= 0] + [(0, 0, 0, 900, 3), (1, 1, 1, 900, 3)]
    answers = [row for row in reached if row[2] >= 0] + [("c", 0, 0, True), ("c", 1, 0, False), ("c1", 2, 9, True)]
    past = [row for row in bought if row[2] < 0], [row for row in reached if row[2] < 0]
    full = [data.draw(st.permutations([*old, *new])) for old, new in zip(past, (later, answers), strict=True)]
    aim = campaign(0, 2)
    assert_array_equal(features(aim, *full), features(aim, *past))


def test_nobody_known_and_nothing_bought() -> None:
    found = features(campaign(), [], [])
    assert (found[:, NAMES.index("days_since_basket")] == log1p(360)).all()
    rest = [name for name in NAMES if name not in ("days_since_basket", "response_rate_before", "campaign_days")]
    assert not found[:, [NAMES.index(name) for name in rest]].any()


def test_responders_are_those_sent_and_who_answered_by_a_day() -> None:
    rows = [("c", 0, 0, False), ("c", 2, 0, False), ("c", 2, 3, True), ("c", 2, 4, True), ("c1", 1, 0, False),
            ("c", 1, 2, True)]  # fmt: skip
    for upto, answered in ((2, [False, False]), (3, [False, True])):
        sent, responded = responses.responders(campaign(), contacts(rows), DAY + upto)
        assert sent.tolist() == [0, 2] and responded.tolist() == answered
    sent, responded = responses.responders(campaign(), contacts(rows), DAY - 1)
    assert len(sent) == len(responded) == 0


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(2017, 3, 12), date(2100, 2, 28)])
def test_day_numbers_count_from_1970(day: date) -> None:
    assert date(1970, 1, 1) + timedelta(day_number(day)) == day
    assert pa.array([day]).cast(pa.int32()).to_pylist() == [day_number(day)]


@pytest.fixture(scope="module")
def space(landed: Any, connection: Any) -> Items:
    rows = partitions.landed(connection, landed.root, "items", landed.day).select("item_id").distinct()
    ids = pa.array(sorted(rows.to_pyarrow().column("item_id").to_pylist()))
    flags = np.ones(len(ids), bool)
    return Items(ids, flags, flags, np.zeros(len(ids), np.int64))


def test_lines_of_the_real_slice_as_arrays(purchases: Any, space: Items) -> None:
    rows = purchases.to_pyarrow()
    users = pa.array(sorted(set(rows.column("user_key").to_pylist())))
    found, plain = responses.line_arrays(rows, users, space), rows.to_pylist()
    assert [users[n].as_py() for n in found.user] == [row["user_key"] for row in plain]
    assert [space.ids[n].as_py() for n in found.item] == [row["item_id"] for row in plain]
    assert found.day.tolist() == [day_number(row["ds"]) for row in plain]
    assert found.cents.tolist() == [row["amount_cents"] for row in plain]
    numbers = set(zip(found.basket.tolist(), (row["basket_id"] for row in plain), strict=True))
    assert len(numbers) == len({n for n, _ in numbers}) == len({name for _, name in numbers})


def test_campaigns_of_the_real_slice_by_first_day(landed: Any, connection: Any, space: Items) -> None:
    rows = partitions.landed(connection, landed.root, "campaigns", landed.day).to_pyarrow()
    found, plain = responses.campaign_list(rows, space), {row["campaign_id"]: row for row in rows.to_pylist()}
    assert len(found) == len(plain) > 3
    assert [(one.starts, one.id) for one in found] == sorted((one.starts, one.id) for one in found)
    for one in found:
        row = plain[one.id]
        days = (one.starts, one.ends)
        assert days == (day_number(row["starts_on"]), day_number(row["ends_on"]))
        named = {space.ids[n].as_py() for n in one.targets if n >= 0}
        assert named == set(row["target_item_ids"]) & set(space.ids.to_pylist())
        assert (one.name, one.kind, one.creative) == (row["campaign_name"], row["campaign_kind"], row["creative"])


def test_a_campaign_without_words_or_targets_is_read() -> None:
    schema = pa.schema([("campaign_id", pa.string()), ("campaign_name", pa.string()), ("campaign_kind", pa.string()),
                        ("starts_on", pa.date32()), ("ends_on", pa.date32()), ("creative", pa.string()),
                        ("target_item_ids", pa.list_(pa.string()))])  # fmt: skip
    row = {"campaign_id": "c", "campaign_name": "C", "starts_on": date(1970, 1, 2), "ends_on": date(1970, 1, 3)}
    flags = np.ones(1, bool)
    (found,) = responses.campaign_list(
        pa.Table.from_pylist([row], schema), Items(pa.array(["a"]), flags, flags, np.zeros(1, np.int64))
    )
    assert (found.kind, found.creative, found.starts, found.ends, found.targets.tolist()) == ("", "", 1, 2, [])


def test_contacts_of_users_that_are_not_known_are_left_out(landed: Any, connection: Any) -> None:
    rows = partitions.landed(connection, landed.root, "contacts", landed.day).order_by("contact_id").to_pyarrow()
    plain = rows.to_pylist()
    keys = sorted({row["user_key"] for row in plain})[1:]
    found = responses.contact_arrays(rows, pa.array(keys))
    expected = [
        (row["campaign_id"], keys.index(row["user_key"]), day_number(row["ds"]), row["contact_kind"] == "response")
        for row in plain
        if row["user_key"] in keys
    ]
    assert list(zip(found.campaign, found.user, found.day, found.responded, strict=True)) == expected
    assert 0 < len(expected) < len(plain)


def test_answers_arrive_as_those_of_ended_campaigns_did() -> None:
    ended = Campaign("a", "A", "", DAY, DAY + 9, np.zeros(0, np.int64), "")
    runs = Campaign("b", "B", "", DAY, DAY + 40, np.zeros(0, np.int64), "")
    rows = [("a", 0, 1, True), ("a", 0, 8, True), ("a", 1, 4, True), ("a", 2, 4, False), ("b", 2, 1, True)]
    curve = responses.arrival([ended, runs], contacts(rows), DAY + 20)
    # Two first answers, after 2 and 5 of 10 days, and ten more as if they came evenly.
    places = np.array([0.2, 0.5])
    expected = [((places <= step).sum() + 10 * step) / 12 for step in responses.STEPS]
    assert_allclose(curve, expected)
    assert (curve[0], curve[-1]) == (0, 1)
    assert responses.arrived(curve, ended, DAY + 1) == pytest.approx((1 + 10 * 0.2) / 12)
    assert responses.arrived(curve, ended, DAY + 30) == 1.0
    assert responses.arrived(curve, runs, DAY - 1) == 0.0


def test_without_ended_campaigns_answers_come_evenly() -> None:
    assert_allclose(responses.arrival([campaign()], contacts([]), DAY), responses.STEPS)
