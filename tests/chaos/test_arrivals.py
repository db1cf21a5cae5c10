"""Duplicates, disorder and delay: after the next landing everything is as if each event had come once and on time."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chaos.conftest import Matrix, counts
from tests.chaos.dock import Row, adds_up, bring, open_dock, outputs, shopping
from tests.feeds.conftest import FIRST

DAYS, LATE = 5, 3
END = FIRST + timedelta(DAYS + LATE)


def twice(rows: list[Row], rng: np.random.Generator) -> list[Row]:
    return rows * 2


def tenfold(rows: list[Row], rng: np.random.Generator) -> list[Row]:
    return rows * 10


def shuffled(rows: list[Row], rng: np.random.Generator) -> list[Row]:
    return [rows[n] for n in rng.permutation(len(rows))]


def late(rows: list[Row], rng: np.random.Generator) -> list[Row]:
    return [row | {"ds": row["ds"] + timedelta(int(rng.integers(LATE + 1)))} for row in rows]


def all_of_it(rows: list[Row], rng: np.random.Generator) -> list[Row]:
    return late(shuffled(twice(rows, rng), rng), rng)


@pytest.mark.parametrize("disturb", [twice, tenfold, shuffled, late, all_of_it])
def test_disturbed_arrivals_end_as_clean_ones(disturb: Any, connection: Any, tmp_path: Path, matrix: Matrix) -> None:
    tried, survived = counts(2, 40), 0
    for seed in range(tried):
        rng = np.random.default_rng(seed)
        rows = shopping(rng, DAYS, 40)
        clean, rough = (open_dock(connection, tmp_path / f"{seed}-{name}") for name in ("clean", "rough"))
        bring(clean, rows)
        clean.land(upto=END)
        bring(rough, disturb(rows, rng))
        for upto in sorted({FIRST + timedelta(int(day)) for day in rng.integers(1, DAYS + LATE, 2)} | {END}):
            rough.land(upto=upto)
        same = outputs(rough, END) == outputs(clean, END)
        survived += same and adds_up(rough) and adds_up(clean)
    matrix.row(f"arrivals: {disturb.__name__.replace('_', ' ')}", tried, survived, "features equal the clean shop's")
    assert survived == tried
