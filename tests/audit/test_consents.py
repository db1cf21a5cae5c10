"""Consent is recounted in every table that holds people."""

import pyarrow as pa
import pytest
from pyarrow.dataset import dataset

from pipeline.audit import consents
from pipeline.contracts.tables import TABLES
from tests.gate_rows import KEYS, ROWS, frame

PEOPLE = [name for name in TABLES if consents.people(name)]
EVERYBODY = dict.fromkeys(("personalisation", "ads", "audiences"), frozenset(KEYS))
STAGED = {name: dataset(frame(name)) for name in TABLES if name in ROWS}


def test_every_table_of_people_says_what_it_needs() -> None:
    assert set(consents.NEEDS) == set(PEOPLE)


def test_rows_of_who_agreed_are_counted_and_kept() -> None:
    found = consents.consents(STAGED, EVERYBODY)
    assert found.cases > len(KEYS) and found.violations == 0


@pytest.mark.parametrize(
    ("name", "consent"), [(name, need.consent) for name in PEOPLE for need in consents.NEEDS[name] if name in ROWS]
)
def test_one_row_of_who_did_not_agree_is_found_in_any_table(name: str, consent: str) -> None:
    table = frame(name)
    if name == "change_ledger":
        table = pa.Table.from_pylist([row | {"change_cause": "user"} for row in table.to_pylist()], table.schema)
    if name == "recommendations":
        table = pa.Table.from_pylist([row | {"surface": "ad"} for row in table.to_pylist()], table.schema)
    found = consents.consents({name: dataset(table)}, EVERYBODY | {consent: set(KEYS[1:])})
    assert found.violations >= 1 and f"of {name}" in found.sentence


def test_what_everybody_gets_needs_no_consent() -> None:
    rows = [row | {"is_fallback": True} for row in ROWS["recommendations"]]
    common = {"recommendations": dataset(frame("recommendations", rows))}
    assert consents.consents(common, dict.fromkeys(EVERYBODY, ())).violations == 0


def test_a_table_of_people_that_nobody_thought_of_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(consents.NEEDS, "user_profiles")
    assert consents.consents(STAGED, EVERYBODY).violations == len(KEYS)
    assert consents.consents({}, EVERYBODY).cases == 0
