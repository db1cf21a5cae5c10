"""Large tables in little room: columns and rows are read as they are asked for, and words kept once.

Not here: which tables there are (`staging`, `snapshot`).
"""

from collections.abc import Sequence
from itertools import chain, islice

import pyarrow as pa
from pyarrow import dataset
from pyarrow.dataset import Dataset

from pipeline.warehouse.staging import Staging


def opened(staging: Staging, name: str) -> Dataset:
    """A staged table, nothing of which is read yet; rows come in its order.

    Raises:
        NoData: it has not been staged, or has been committed since.
    """
    staging.read(name, [])
    return dataset.dataset(staging.path(name))


def compact(rows: Dataset, columns: Sequence[str]) -> pa.Table:
    """Columns read batch by batch, each word of a text column kept once and its rows by number.

    Ten million user keys are 40 MB so, and 400 MB as words. Text whose words hardly come again, as the first batch
    tells, stays as it is.
    """
    batches = iter(rows.to_batches(columns=list(columns)))
    first = list(islice(batches, 1))
    worded = {name for name in columns if all(_repeats(batch.column(name)) for batch in first)}
    fields = [rows.schema.field(name) for name in columns]
    schema = pa.schema([(one.name, _type(one.type) if one.name in worded else one.type) for one in fields])
    return pa.Table.from_batches(
        [_encoded(batch, schema) for batch in chain(first, batches)], schema
    ).unify_dictionaries()


def _repeats(values: pa.Array) -> bool:
    return pa.types.is_string(values.type) and 2 * len(values.unique()) <= len(values)


def _type(kind: pa.DataType) -> pa.DataType:
    return pa.dictionary(pa.int32(), kind) if pa.types.is_string(kind) else kind


def _encoded(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        values.dictionary_encode() if pa.types.is_dictionary(kind) else values
        for values, kind in zip(batch.columns, schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
