"""What marketing asked for lies there after each snapshot: the same again, nobody who said no, nothing left over."""

import csv
import hashlib
import json
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
import yaml

from pipeline import delivery
from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES
from pipeline.errors import ConfigError
from pipeline.privacy.keys import VARIABLE, user_key
from pipeline.settings import Night, load_shop
from pipeline.stages import consenting
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.staging import Staging

DAY = date(2017, 11, 30)
SECRET = "5a" * 32
USERS = [f"{n}" for n in range(400)]
KEYS = {name: user_key(bytes.fromhex(SECRET), name) for name in USERS}
HELD = set(USERS[:40])


def publish(night: Night) -> None:
    """Campaign 18 holds all users, 40 of them held out; 26 is withheld."""
    people = [
        {"campaign_id": "18", "rank": rank, "user_key": KEYS[name], "propensity": 0.5, "expected_value_cents": 1.0,
         "decile": 1, "is_holdout": name in HELD, "is_planned": False, "in_since": DAY, "reason": "=shops often"}
        for rank, name in enumerate(USERS, 1)
    ]  # fmt: skip
    told = [
        {"campaign_id": name, "campaign_name": "C", "starts_on": DAY, "ends_on": DAY, "size": 360, "min_size": 100,
         "expected_responses": 1.0, "is_published": name == "18", "withheld_reason": None if name == "18" else "small",
         "cost_per_contact_cents": 5.0, "spent_cents": 0.0, "planned": 0, "planned_cost_cents": 0.0,
         "planned_responses": 0.0, "planned_value_cents": 0.0, "plan_reason": "its budget is spent"}
        for name in ("18", "26")
    ]  # fmt: skip
    staging = Staging.open(night.warehouse, DAY, "night", fresh=True)
    staging.write(AD_AUDIENCES, pa.Table.from_pylist(people, AD_AUDIENCES.schema))
    staging.write(AD_AUDIENCE_SUMMARY, pa.Table.from_pylist(told, AD_AUDIENCE_SUMMARY.schema))
    commit(
        night.warehouse, staging, shop="grocer", day=DAY, parent=None, models={}, policy_hash="p", code_version="v",
        requires=Requirements(current=None, verdict_passed=True, tables=frozenset()),
    )  # fmt: skip


@pytest.fixture
def night(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, SECRET)
    night = Night(load_shop("grocer"), DAY, tmp_path)
    publish(night)
    agree(monkeypatch, USERS)
    addresses(night, USERS)
    return night


def agree(monkeypatch, names):
    keys = pa.array([KEYS[name] for name in names])
    monkeypatch.setattr(consenting, "users", lambda night, *flags: (keys, keys))


def addresses(night, names):
    night.root.mkdir(exist_ok=True)
    lines = ["user_id,email", *(f"{name},{name}@example.com" for name in names)]
    (night.root / "addresses.csv").write_text("\n".join(lines), encoding="utf-8")


def order(night, *exports: dict[str, Any]):
    path = night.root / delivery.ORDERS
    path.write_text(yaml.safe_dump({"exports": list(exports)}))
    return path


SHEET = {"campaign": "18", "file": "spring.csv"}
META = {"campaign": "18", "file": "meta.csv", "platform": "meta", "addresses": "addresses.csv"}


def written(told):
    folder = delivery.Path(told["folder"])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_asked_for_is_written_and_listed(night):
    order(night, SHEET, META, {"campaign": "26", "file": "autumn.json"})
    told = delivery.deliver(night)
    files = written(told)
    assert set(files) == {"spring.csv", "meta.csv", delivery.LIST}
    rows = list(csv.DictReader(files["spring.csv"].decode().splitlines()))
    assert {row["user_key"] for row in rows} == {KEYS[name] for name in set(USERS) - HELD}
    assert {row["reason"] for row in rows} == {"'=shops often"}
    listed = json.loads(files[delivery.LIST])["files"]
    assert listed["spring.csv"] == {"rows": 360, "sha256": hashlib.sha256(files["spring.csv"]).hexdigest()}
    assert "small" in listed["autumn.json"]["refused"]


def test_again_it_is_the_same_and_what_is_no_longer_asked_for_goes(night):
    order(night, SHEET, META)
    first = written(delivery.deliver(night))
    assert written(delivery.deliver(night)) == first
    order(night, META)
    assert set(written(delivery.deliver(night))) == {"meta.csv", delivery.LIST}


def test_without_orders_there_is_nothing(night):
    assert delivery.deliver(night)["files"] == {}


def hashes(names):
    return sorted(hashlib.sha256(f"{name}@example.com".encode()).hexdigest() for name in names)


def test_a_platform_gets_the_hashed_addresses_of_who_agrees_now(night, monkeypatch):
    order(night, META)
    agree(monkeypatch, USERS[:350])
    addresses(night, USERS[20:])
    header, *lines = written(delivery.deliver(night))["meta.csv"].decode().splitlines()
    assert header == "email"
    # In the order of the hashes, which tells nobody's rank.
    assert lines == hashes(USERS[40:350])


def test_too_few_for_a_platform_are_refused_and_an_older_file_goes(night, monkeypatch):
    order(night, META)
    delivery.deliver(night)
    agree(monkeypatch, USERS[:239])
    told = delivery.deliver(night)
    assert "too few users with an address for meta" in told["files"]["meta.csv"]["refused"]
    assert set(written(told)) == {delivery.LIST}


def test_no_address_and_no_user_id_is_kept_anywhere(night):
    order(night, META)
    (night.root / "addresses.csv").rename(night.home / "addresses.csv")
    order(night, META | {"addresses": str(night.home / "addresses.csv")})
    delivery.deliver(night)
    kept = b"".join(path.read_bytes() for path in night.root.rglob("*") if path.is_file())
    assert b"@example.com" not in kept


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"campaign": "18"}, "file: Field required"),
        (SHEET | {"file": "../a.csv"}, "file: String should match"),
        (SHEET | {"file": "a.doc"}, "choose one of csv"),
        (META | {"addresses": None}, "go together"),
        (META | {"platform": "myspace"}, "platform: Input should be"),
        (META | {"include_holdout": True}, "never holds the hold-out"),
        (SHEET | {"colour": "red"}, "colour: Extra inputs"),
    ],
)
def test_a_wrong_order_names_the_key(night, asked, says):
    with pytest.raises(ConfigError, match=says):
        delivery.load(order(night, asked))


def test_one_file_is_asked_for_once(night):
    with pytest.raises(ConfigError, match=r"spring.csv is asked for twice"):
        delivery.load(order(night, SHEET, SHEET))


@pytest.mark.parametrize("text", ["exports: [", "\x00", None])
def test_a_file_that_is_no_orders_file_is_said_to_be_none(night, tmp_path, text):
    path = tmp_path / "orders.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match="not readable"):
        delivery.load(path)


@pytest.mark.parametrize("text", ["id,mail\n1,a@b.c\n", None])
def test_addresses_that_cannot_be_read_refuse_their_file_alone(night, text):
    order(night, SHEET, META)
    path = night.root / "addresses.csv"
    path.unlink() if text is None else path.write_text(text)
    files = delivery.deliver(night)["files"]
    assert "rows" in files["spring.csv"]
    assert "addresses.csv: no" in files["meta.csv"]["refused"]
