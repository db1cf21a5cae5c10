"""The shop_documents table: the newest text of each document, for the chat to quote."""

import pyarrow as pa

from pipeline.contracts.tables import SHOP_DOCUMENTS


def rows(documents: pa.Table | None) -> pa.Table:
    """One row a document; none where the shop hands over none.

    Args:
        documents: newest state of each, from the feed.
    """
    if documents is None:
        return SHOP_DOCUMENTS.schema.empty_table()
    return documents.select(SHOP_DOCUMENTS.names)
