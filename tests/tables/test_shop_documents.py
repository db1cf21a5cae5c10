"""Documents as published."""

import pyarrow as pa

from pipeline.contracts.tables import SHOP_DOCUMENTS
from pipeline.tables import shop_documents


def test_documents_are_told_as_they_stand_and_none_where_there_are_none():
    row = {"document_id": "d", "document_title": "Returns", "document_text": "Within 30 days.", "document_kind": "faq"}
    given = pa.Table.from_pylist([row | {"updated_at": None, "ds": None}])
    assert SHOP_DOCUMENTS.enforce(shop_documents.rows(given)).to_pylist() == [row]
    assert len(SHOP_DOCUMENTS.enforce(shop_documents.rows(None))) == 0
