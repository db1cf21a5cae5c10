"""One user's rows out of many, from a fresh connection: python -m benchmarks.one_user [rows].

The table has the layout that staging writes (sorted by user, row groups, page index); beside it the same rows unsorted.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.side_by_side import measure
from pipeline.warehouse.snapshot import rows_of
from pipeline.warehouse.staging import FORMAT, ROW_GROUP

PLACES, ITEMS, CHUNK, ASKED, SEED = 50, 90_000, 40 * ROW_GROUP, 60, 7


def rows(users: np.ndarray, places: np.ndarray, keys: pa.Array) -> pa.Table:
    """Rows of lists: user, rank, item, score, reason and since when."""
    drawn = np.random.default_rng(users[0])
    return pa.table(
        {
            "user_key": keys.take(pa.array(users)),
            "rank": pa.array(places, pa.int32()),
            "item_id": pa.array(drawn.integers(0, ITEMS, len(users)).astype(str)),
            "score": pa.array(drawn.random(len(users)), pa.float64()),
            "reason": pa.array(
                np.array(["bought before", "goes with it", "popular"])[drawn.integers(0, 3, len(users))]
            ),
            "kept_since": pa.array(drawn.integers(17_000, 17_500, len(users)).astype("datetime64[D]")),
        }
    )


def write(path: Path, order: np.ndarray, keys: pa.Array, *by: str) -> None:
    """Rows in some order of their numbers, a few row groups at a time; the file says by which columns that sorts."""
    schema = rows(order[:1] // PLACES, order[:1], keys).schema
    sorting = pq.SortingColumn.from_ordering(schema, [(name, "ascending") for name in by])
    with pq.ParquetWriter(path, schema, sorting_columns=sorting, **FORMAT) as file:
        for start in range(0, len(order), CHUNK):
            users, places = np.divmod(order[start : start + CHUNK], PLACES)
            file.write_table(rows(users, places + 1, keys), row_group_size=ROW_GROUP)


def by_arrow(path: Path, key: str) -> pa.Table:
    """Arrow's own filter."""
    return pq.read_table(path, filters=pc.field("user_key") == key, partitioning=None)


def by_duckdb(path: Path, key: str) -> pa.Table:
    """A reader of its own."""
    with duckdb.connect() as connection:
        query = "select * from read_parquet(?) where user_key = ? order by rank"
        return connection.execute(query, [str(path), key]).to_arrow_table()


WAYS = {"ours": rows_of, "pyarrow": by_arrow, "duckdb": by_duckdb}


def main(count: int) -> None:
    """Write both, ask for the same users from each."""
    rng = np.random.default_rng(SEED)
    keys = pa.array(sorted(rng.bytes(16).hex() for _ in range(count // PLACES)))
    folder = Path(tempfile.mkdtemp())
    try:
        files = {"sorted": folder / "sorted.parquet", "unsorted": folder / "unsorted.parquet"}
        write(files["sorted"], np.arange(count), keys, "user_key", "rank")
        write(files["unsorted"], rng.permutation(count), keys)
        asked = [keys[int(at)].as_py() for at in rng.integers(0, len(keys), ASKED)]
        facts = {f"megabytes {name}": path.stat().st_size / 1e6 for name, path in files.items()}
        for name, path in files.items():
            for way, read in WAYS.items():
                taken = []
                for key in asked[: ASKED if name == "sorted" else ASKED // 10]:
                    began = perf_counter()
                    found = read(path, key)
                    taken.append(perf_counter() - began)
                    assert len(found) == PLACES and set(found.column("user_key").to_pylist()) == {key}
                p50, p95 = np.percentile(taken, [50, 95]) * 1e3
                facts |= {f"{way} {name} p50 ms": float(p50), f"{way} {name} p95 ms": float(p95)}
        for fact, value in facts.items():
            print(f"{fact}: {value:,.1f}")
        ways = {
            f"{way}, {name}": lambda path=path, read=read: read(path, asked[0])
            for name, path in files.items()
            for way, read in WAYS.items()
        }
        measure("one_user", ways, rows=count, **facts)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000)
