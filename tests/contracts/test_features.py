"""Features are about pseudonyms, and nothing that only audits may see reaches a model."""

import pytest

from pipeline.contracts.features import FEATURES
from pipeline.contracts.table import Privacy
from pipeline.contracts.tables import TABLES


@pytest.mark.parametrize("name", FEATURES)
def test_no_identifier_and_no_audit_column_reaches_a_model(name):
    assert not {column.privacy for column in FEATURES[name].columns} & {Privacy.IDENTIFIER, Privacy.AUDIT}


@pytest.mark.parametrize("name", FEATURES)
def test_contract_is_named_as_listed_and_no_published_table_shares_the_name(name):
    assert FEATURES[name].name == name
    assert name not in TABLES
