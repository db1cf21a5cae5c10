"""Every column once, and each with its words."""

import re

import pyarrow as pa
import pytest

from pipeline.contracts import columns
from pipeline.contracts.features import FEATURES
from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Column
from pipeline.contracts.tables import AUDITED, TABLES

COLUMNS = {name: value for name, value in vars(columns).items() if isinstance(value, Column)}


@pytest.mark.parametrize("name", COLUMNS)
def test_column_is_named_as_its_constant_and_has_a_sentence(name):
    column = COLUMNS[name]
    assert column.name == name
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert re.fullmatch(r"[^|\n]{3,}\.", column.sentence), "a sentence ends in a full stop and fits a Markdown cell"


@pytest.mark.parametrize("name", [name for name in COLUMNS if name.endswith(("_cents", "_days", "_cents_90d"))])
def test_money_and_durations_name_their_unit(name):
    assert COLUMNS[name].unit in {"hundredths of the currency", "days"}


@pytest.mark.parametrize("name", [name for name in COLUMNS if name.startswith(("is_", "consent_"))])
def test_yes_or_no_columns_are_flags(name):
    assert COLUMNS[name].type == pa.bool_()


def test_every_column_is_used_and_no_table_brings_its_own():
    used = [table.columns for table in (*TABLES.values(), *AUDITED.values(), *FEATURES.values())]
    used += [feed.raw.columns + feed.landed.columns for feed in FEEDS.values()]
    assert {column for group in used for column in group} == set(COLUMNS.values())
