"""Whole columns of large tables in little room. Not here: which tables there are (`staging`, `snapshot`)."""

from collections.abc import Sequence

import pyarrow as pa
from pyarrow.dataset import Dataset


def compact(rows: Dataset, columns: Sequence[str]) -> pa.Table:
    """Columns read batch by batch, each word of a text column kept once and its rows by number.

    Ten million user keys are 40 MB so, and 400 MB as words.
    """
    batches = [_encoded(batch) for batch in rows.to_batches(columns=list(columns))]
    schema = pa.schema([(name, _type(rows.schema.field(name).type)) for name in columns])
    return pa.Table.from_batches(batches, schema).unify_dictionaries()


def _type(kind: pa.DataType) -> pa.DataType:
    return pa.dictionary(pa.int32(), kind) if pa.types.is_string(kind) else kind


def _encoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [one.dictionary_encode() if pa.types.is_string(one.type) else one for one in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
