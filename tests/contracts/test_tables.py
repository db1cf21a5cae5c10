"""What may be published: no name of a person, no attribute kept for audits."""

import pytest

from pipeline.contracts import columns as c
from pipeline.contracts.table import Privacy
from pipeline.contracts.tables import CAUSES, CHANGES, STATES, STATUS, TABLES


@pytest.mark.parametrize("name", TABLES)
def test_no_identifier_and_no_audit_column_is_published(name):
    assert not {column.privacy for column in TABLES[name].columns} & {Privacy.IDENTIFIER, Privacy.AUDIT}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_about_a_person_stands_beside_a_pseudonym(name):
    classes = {column.privacy for column in TABLES[name].columns}
    assert Privacy.PERSONAL not in classes or Privacy.PSEUDONYM in classes


@pytest.mark.parametrize("name", TABLES)
def test_contract_has_name_owner_grain_and_sentence(name):
    table = TABLES[name]
    assert table.name == name
    assert table.owner
    assert table.grain
    assert table.sentence.endswith(".")


@pytest.mark.parametrize("name", ["recommendations", "cart_recommendations", "ad_audiences"])
def test_every_ranked_row_says_why(name):
    assert not TABLES[name].schema.field(c.reason.name).nullable
    assert TABLES[name].key[-1] == c.rank.name


def test_status_column_names_every_status():
    assert all(status in c.status.sentence for status in STATUS)


def test_fingerprints_are_distinct():
    assert len({table.fingerprint for table in TABLES.values()}) == len(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_what_is_said_of_a_person_stands_beside_a_pseudonym(name):
    classes = {column.privacy for column in TABLES[name].columns}
    assert (Privacy.PSEUDONYM in classes) == (Privacy.PERSONAL in classes)
    assert not classes & {Privacy.IDENTIFIER, Privacy.AUDIT}


def test_columns_of_the_balance_name_their_values():
    for column, values in ((c.change_cause, CAUSES), (c.state, STATES), (c.change, CHANGES)):
        assert all(value in column.sentence for value in values), column.name
