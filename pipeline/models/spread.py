"""Exact top-K of users that no one machine holds: Spark deals them out in batches, each searched as `retrieval` does.

Not here: the search itself, and what vectors are.
"""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline import spark
from pipeline.models.retrieval import Filters, search

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COLUMNS = "user_key string, places array<int>, scores array<float>"


def search_spread(users: "DataFrame", items: np.ndarray, k: int, allowed: np.ndarray | None = None) -> "DataFrame":
    """Each user's K items of the largest inner product: user_key, places and scores, best first, -1 and 0 pad.

    Args:
        users: user_key string, vector array<float> of D numbers.
        items: float32 [R, D]; each worker holds them once.
        k: places.
        allowed: bool [R] items that may stand in a list; all when left out.
    """
    held = users.sparkSession.sparkContext.broadcast(items)

    def each(batch: pa.RecordBatch) -> pa.RecordBatch:
        stock = held.value
        vectors = batch.column("vector").flatten().to_numpy().astype(np.float32).reshape(len(batch), stock.shape[1])
        best = search(vectors, stock, k, Filters(allowed=allowed))
        bounds = pa.array(np.arange(0, k * len(batch) + 1, k), pa.int32())
        lists = [pa.ListArray.from_arrays(bounds, pa.array(part.ravel())) for part in (best.items, best.scores)]
        return pa.record_batch([batch.column("user_key"), *lists], ["user_key", "places", "scores"])

    return spark.mapped(users, each, COLUMNS)
