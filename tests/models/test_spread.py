"""Top-K dealt out by Spark: the lists of one search, whoever holds which users."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.models.retrieval import Filters, search
from pipeline.models.spread import search_spread


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
@pytest.mark.spark
def test_spread_lists_are_those_of_one_search(cluster: Any) -> None:
    rng, count, width = np.random.default_rng(3), 500, 16
    users, items = (rng.standard_normal((n, width)).astype(np.float32) for n in (count, 2_000))
    allowed = rng.random(len(items)) < 0.8
    keys = np.array([f"u{n:04}" for n in range(count)])
    rows = pa.table({"user_key": keys, "vector": pa.array(list(users), pa.list_(pa.float32()))})
    frame = cluster._session.createDataFrame(rows).repartition(4)
    found = search_spread(frame, items, 10, allowed).toArrow().sort_by("user_key")
    best = search(users, items, 10, Filters(allowed=allowed))
    assert found.column("user_key").to_pylist() == keys.tolist()
    np.testing.assert_array_equal(found.column("places").to_pylist(), best.items)
    np.testing.assert_array_equal(np.array(found.column("scores").to_pylist(), np.float32), best.scores)
