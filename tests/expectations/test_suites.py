"""The suites as they stand: one for everything that is judged, each sentence complete, each column in its contract."""

import json
import re
from pathlib import Path

import pytest

from pipeline import gates
from pipeline.contracts.features import FEATURES
from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Table
from pipeline.contracts.tables import AUDITED, TABLES

FOLDER = Path(__file__).parents[2] / "expectations"
CONTRACTS: dict[str, Table] = {
    **{f"feed_{name}": feed.landed for name, feed in FEEDS.items()},
    **{f"feature_{name}": table for name, table in FEATURES.items()},
    **TABLES,
    **AUDITED,
}


def test_all_that_is_judged_has_a_suite_and_no_suite_lies_about() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(CONTRACTS)
    assert gates.folder() == FOLDER


@pytest.mark.parametrize("name", CONTRACTS)
def test_suite_is_complete(name: str) -> None:
    suite = gates.load_suite(name)
    assert suite["name"] == name
    assert suite["meta"]["why"]
    expectations = suite["expectations"]
    assert all(set(one) == {"type", "kwargs", "severity", "meta"} for one in expectations)
    assert gates.ROW_COUNT in {one["type"] for one in expectations}, "whether no rows may come must be said"
    assert any(one["severity"] == "critical" for one in expectations)
    written = [json.dumps(one, sort_keys=True) for one in expectations]
    assert len(written) == len(set(written))


@pytest.mark.parametrize("name", CONTRACTS)
def test_suite_names_only_columns_of_its_contract(name: str) -> None:
    named = gates.columns_of(gates.load_suite(name)["expectations"])
    assert named <= set(CONTRACTS[name].names)


@pytest.mark.parametrize("name", CONTRACTS)
def test_uniqueness_is_judged_on_the_key(name: str) -> None:
    contract, unique = CONTRACTS[name], []
    for one in gates.load_suite(name)["expectations"]:
        if one["type"].endswith("_to_be_unique"):
            unique.append(gates.columns_of(one["kwargs"]))
    # A later arrival of an item, user, campaign or placement replaces the earlier: unique within its day.
    assert any(columns - {"ds"} == set(contract.key) for columns in unique)


@pytest.mark.parametrize("name", [name for name, table in CONTRACTS.items() if "user_key" in table.names])
def test_user_keys_are_judged_everywhere(name: str) -> None:
    patterns = [
        one["kwargs"]["regex"]
        for one in gates.load_suite(name)["expectations"]
        if one["kwargs"].get("column") == "user_key" and one["type"].endswith("_match_regex")
    ]
    key = "0123456789abcdef" * 2
    assert any(re.search(pattern, key) and not re.search(pattern, "alice") for pattern in patterns)
