"""How scoring every item for every user grows with the shop: python -m benchmarks.scoring_growth [events …].

One block of users, spread over the shop, by the ways that count (`models.next_baskets`), from scores to candidates;
times the blocks of the shop that is one pass, and a night has several: lessons, judged week, tonight, the champion.
Shops are those of `end_to_end`; figures are processor seconds of one thread.
"""

import sys
from time import process_time

import numpy as np

from benchmarks import shop_at_scale
from benchmarks.end_to_end import size_of
from benchmarks.side_by_side import Calibration, note_figures
from pipeline.models.baskets import Baskets
from pipeline.models.next_baskets import Ways
from pipeline.models.order import BLOCK
from pipeline.models.ways import candidates

SIZES, NAME, COUNT, PARTS, ROUNDS, SEED = (100_000, 1_000_000, 10_000_000), "scoring_growth", 60, 20, 3, 7


def baskets_of(size: shop_at_scale.Size, shape: shop_at_scale.Shape) -> Baskets:
    """All baskets of a shop, drawn in parts."""
    parts, begun = [], 0
    for number, count in enumerate(np.diff(np.linspace(0, size.events, PARTS + 1).astype(int))):
        basket, user, item = shop_at_scale._lines(np.random.default_rng([SEED, number]), size, shape, int(count))
        parts.append((user, basket + begun, item))
        begun += int(basket[-1]) + 1
    user, basket, item = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((item, basket, user))
    first = np.r_[True, np.diff(basket[order]) != 0]
    return Baskets(item[order], np.cumsum(first) - 1, user[order][first], (size.users, size.items))


def measure(size: shop_at_scale.Size, shape: shop_at_scale.Shape) -> dict[str, float]:
    """Processor seconds of counting, of one block, and of a pass over all users."""
    began = process_time()
    ways = Ways.of(baskets_of(size, shape))
    counted = process_time() - began
    some = np.unique(np.linspace(0, size.users - 1, min(BLOCK, size.users)).astype(int))
    taken = []
    for _round in range(ROUNDS):
        began = process_time()
        candidates(ways, some, COUNT)
        taken.append(process_time() - began)
    block = float(np.median(taken))
    return {
        "counting_cpu_seconds": counted,
        "block_cpu_seconds": block,
        "pass_cpu_seconds": block * size.users / len(some),
    }


def main(sizes: list[int]) -> dict[str, float]:
    """All sizes, one after the other; prints and keeps their figures."""
    before, shape, figures = Calibration.now(), shop_at_scale.grocer(), {}
    for events in sizes:
        size = size_of(events)
        found = measure(size, shape) | {"users": size.users, "items": size.items}
        figures |= {f"{events}/{fact}": value for fact, value in found.items()}
    for fact, value in figures.items():
        print(f"{fact}: {value:,.2f}")
    told = {f"{NAME}/{fact}": value for fact, value in figures.items()}
    note_figures(NAME, told, before, drift=before.drift(Calibration.now()))
    return figures


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]] or list(SIZES))
