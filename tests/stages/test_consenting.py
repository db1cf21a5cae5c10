"""Who may be treated how, from the users feed: default deny, the newest state counts."""

from datetime import UTC, date, datetime

import ibis
import pyarrow as pa
import pytest

from pipeline.settings import Night, load_shop
from pipeline.stages import consenting, desk

DAY = date(2017, 3, 31)
FLAGS = ("consent_personalisation", "consent_ad_user_data", "consent_ad_personalization")


@pytest.fixture
def night(tmp_path):
    shop = load_shop("grocer").model_copy(update={"consent_without_flags": "denied"})
    return Night(shop, DAY, tmp_path)


@pytest.fixture
def users(monkeypatch):
    """Sets the users feed to (key, arrival day, three flags)."""

    def hand_over(*rows):
        names = ("user_key", "ds", *FLAGS)
        columns = [list(values) for values in zip(*rows, strict=True)]
        kinds = (pa.string(), pa.date32(), *[pa.bool_()] * 3)
        arrays = {n: pa.array(v, t) for n, v, t in zip(names, columns, kinds, strict=True)}
        arrays["created_at"] = pa.array([datetime(2017, 1, 1, tzinfo=UTC)] * len(rows))
        feed = ibis.memtable(pa.table(arrays))
        monkeypatch.setattr(desk, "landed", lambda _connection, _night, name: feed if name == "users" else None)

    return hand_over


def asked(night, *flags):
    everyone, allowed = consenting.users(night, *flags)
    return everyone.to_pylist(), allowed.to_pylist()


def test_only_a_yes_is_a_yes(night, users):
    users(("b", DAY, True, True, True), ("a", DAY, False, True, True), ("c", DAY, None, None, None))
    assert asked(night, FLAGS[0]) == (["a", "b", "c"], ["b"])


def test_every_flag_named_must_be_granted(night, users):
    users(("a", DAY, True, True, False), ("b", DAY, True, False, True), ("c", DAY, False, True, True))
    assert asked(night, *FLAGS[1:])[1] == ["c"]
    assert asked(night, *FLAGS)[1] == []


def test_a_demo_may_take_silence_for_a_yes_but_never_a_no(night, users):
    demo = Night(night.shop.model_copy(update={"consent_without_flags": "granted"}), DAY, night.home)
    users(("a", DAY, None, None, None), ("b", DAY, False, None, None))
    assert asked(demo, FLAGS[0])[1] == ["a"]
    assert asked(night, FLAGS[0])[1] == []


def test_the_newest_answer_counts(night, users):
    users(("a", date(2017, 1, 1), True, True, True), ("a", date(2017, 2, 1), False, True, True))
    assert asked(night, FLAGS[0]) == (["a"], [])


def test_without_the_feed_nobody_is_known(night, monkeypatch):
    monkeypatch.setattr(desk, "landed", lambda *_: None)
    assert asked(night, *FLAGS) == ([], [])
