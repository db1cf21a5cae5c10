"""The engine with a quarter of the memory a feature step needs: the same rows, or an error; never a short table."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import engine
from pipeline.features import baskets, sequences
from tests.chaos.conftest import counts

DAY, MIB, ENOUGH = date(2020, 6, 30), 1 / 1024, 4096.0
STEPS = {
    "in order": lambda lines: sequences.in_order(lines, DAY),
    "pairs": lambda lines: baskets.pairs(lines, DAY, max_basket=40, min_together=2),
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Generated purchases on disk: baskets of ten of a catalogue whose head sells most."""
    rng, rows = np.random.default_rng(7), counts(50_000, 3_000_000)
    basket = np.arange(rows) // 10
    ages = rng.integers(0, 170, basket[-1] + 1)[basket]
    days = np.array(DAY, "datetime64[D]") - ages
    item = (rng.random(rows) ** 3 * rows / 30).astype(int)
    path = tmp_path_factory.mktemp("lines") / "lines.parquet"
    pq.write_table(
        pa.table(
            {
                "user_key": pa.array(basket % (rows // 100)).cast(pa.string()),
                "item_id": pa.array(item).cast(pa.string()),
                "basket_id": pa.array(basket).cast(pa.string()),
                "ds": pa.array(days).cast(pa.date32()),
                "ts": pa.array(days).cast(pa.timestamp("us", "UTC")),
                "quantity": np.ones(rows, np.int64),
                "amount_cents": item % 997,
            }
        ),
        path,
    )
    return path


def compute(step, path, mib, spill=True):
    """The step's rows in a total order, under so much memory; None when the engine says it has too little."""
    connection = engine.connect(1, round(mib * MIB, 6))
    try:
        if not spill:
            connection.raw_sql("SET max_temp_directory_size = '0KiB'")
        with engine.machine_errors():
            rows = STEPS[step](connection.read_parquet(path)).to_pyarrow()
    except (MemoryError, OSError) as error:
        assert str(error)
        return None
    finally:
        connection.disconnect()
    return rows.sort_by([(name, "ascending") for name in rows.column_names])


def need(step, path):
    """The least memory in which the step ends without spilling: MiB, by bisection to an eighth."""
    low, high = 4.0, ENOUGH
    while high / low > 1 + 1 / 8:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if compute(step, path, middle, spill=False) is not None else (middle, high)
    return high


@pytest.mark.slow
def test_a_quarter_of_the_memory_gives_the_same_rows_or_an_error(lines, matrix):
    problems, spilled, needs = [], 0, {}
    for step in STEPS:
        whole, needs[step] = compute(step, lines, ENOUGH), need(step, lines)
        for part in (4, 8):
            rows = compute(step, lines, needs[step] / part)
            spilled += rows is not None
            if rows is not None and not rows.equals(whole):
                problems.append(f"{step} in 1/{part} of {needs[step]:.0f} MiB: {len(rows):,} of {len(whole):,} rows")
    tried, most = 2 * len(STEPS), max(needs.values())
    note = f"1/4 and 1/8 of up to {most:.0f} MiB: {spilled} spilled, {tried - spilled} ended with an error"
    matrix.row("memory", tried, tried - len(problems), note, spilled=spilled, need_mib=most)
    assert not problems, "\n".join(problems)
