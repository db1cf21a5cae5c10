"""Times every measure of the balance over a night of made-up lists: python -m benchmarks.balance_measures [users].

Figures are those of all surfaces together; each measure is also shown as a part of all in turn ("times ours").
"""

import resource
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np

from benchmarks.side_by_side import measure
from pipeline.metrics import coherence, drift, exposure, intervals, list_calibration, stability

SURFACES, K, ITEMS, CATEGORIES, SLOTS, AUDIENCES, NIGHTS, WIDTH = 5, 20, 20_000, 300, 12, 27, 14, 64
PINNED, BUDGET, PHONE = 3, 2, 10
GROUPS = ITEMS // 100


def lists_of(rng: np.random.Generator, users: int) -> np.ndarray:
    """[users, K] items, the first of each place's own strand far more often than the last; none twice in a list."""
    strand = ITEMS // K
    return (np.arange(K) + K * (strand * rng.random((users, K)) ** 3).astype(np.int32)).astype(np.int32)


def replaced_below(rng: np.random.Generator, lists: np.ndarray) -> np.ndarray:
    """Tonight's lists: BUDGET places below the pinned ones hold another item."""
    tonight = lists.copy()
    for place in range(PINNED, PINNED + BUDGET):
        at = place + BUDGET * rng.integers(0, (K - PINNED) // BUDGET, len(lists))
        rows = np.arange(len(lists))
        tonight[rows, at] = (tonight[rows, at] + K) % ITEMS
    return tonight


def ways(users: int) -> dict[str, Callable[[], Any]]:
    """Each measure over a night of so many users."""
    rng = np.random.default_rng(0)
    before = [lists_of(rng, users) for _ in range(SURFACES)]
    after = [replaced_below(rng, lists) for lists in before]
    categories, groups = rng.integers(0, CATEGORIES, ITEMS), rng.integers(0, GROUPS, ITEMS)
    idle, forced = rng.random(users) < 0.8, rng.integers(0, 2, users)
    page, visibility = rng.permuted(np.tile(np.arange(SLOTS), (users, 1)), axis=1), 1 / np.arange(1, SLOTS + 1)
    moved = np.where(rng.random((users, 1)) < 0.1, np.roll(page, 1, axis=1), page)
    members = rng.random((AUDIENCES, NIGHTS, users)) < 0.3
    values, segments = rng.random((3, users)), rng.integers(0, 20, users)
    profiles = rng.standard_normal((users, WIDTH)).astype(np.float32)
    turned = profiles[:, ::-1] + rng.standard_normal((users, WIDTH)).astype(np.float32) / 10
    right = rng.random((2, users)) < 0.8
    shares = [coherence.category_shares(lists, categories, CATEGORIES) for lists in after]
    tail = exposure.long_tail(np.bincount(before[0].ravel(), minlength=ITEMS))
    seen = exposure.exposure(after[0], ITEMS)
    floor = stability.rbo_floor(K, BUDGET, PINNED)
    nights = list(zip(before, after, strict=True))
    assert all((stability.rbo(*night) >= floor).all() for night in nights)
    anchors = np.arange(SLOTS) < 2

    return {
        "1 overlap": lambda: [stability.rbo(*night) for night in nights],
        "1 floor": lambda: stability.rbo_floor(K, np.where(idle, BUDGET, 5), np.where(idle, PINNED, 1)),
        "2 idle churn": lambda: [stability.idle_churn(*night, idle, forced) for night in nights],
        "4 category shares": lambda: [coherence.category_shares(lists, categories, CATEGORIES) for lists in after],
        "4 coherence": lambda: coherence.coherence(shares),
        "5 device": lambda: [stability.prefix_violations([lists, lists[:, :PHONE]]) for lists in after],
        "6 layout": lambda: (
            stability.layout_change_rate(page, moved, visibility),
            stability.anchors_moved(page, moved, anchors),
        ),
        "7 calibration": lambda: [
            list_calibration.mean_and_tail(list_calibration.divergence(shares[0], shown)) for shown in shares
        ],
        "8 distance": lambda: [exposure.inter_user_distance(lists, ITEMS) for lists in after],
        "8 lift": lambda: intervals.paired_gain(values[0], values[1]),
        "9 exposure": lambda: [exposure.exposure(lists, ITEMS) for lists in after],
        "9 ratio, gini, tail": lambda: (
            exposure.exposure_ratio(seen, np.ones(ITEMS), groups),
            exposure.gini(seen),
            [exposure.aplt(lists, tail) for lists in after],
        ),
        "9 gaps": lambda: [exposure.largest_gap(value, segments) for value in values],
        "10 audiences": lambda: [
            (stability.membership_jaccard(nights_[-2], nights_[-1]), stability.flap_rate(nights_))
            for nights_ in members
        ],
        "11 flips": lambda: stability.negative_flip_rate(*right),
        "12 drift": lambda: drift.idle_cosine(profiles, turned, idle),
        "bound of the price": lambda: intervals.bootstrap_statistic(
            lambda a, b: float(a.mean() / b.mean()), values[0], values[1]
        ),
    }


def main(users: int) -> None:
    """Time all of them in turn, and each."""
    each = ways(users)
    everything = {"everything": lambda: [call() for call in each.values()]}
    sizes = {"users": users, "surfaces": SURFACES, "places": K, "items": ITEMS, "categories": CATEGORIES}
    before = process_time()
    everything["everything"]()
    work = process_time() - before  # what others do on the machine lengthens the wall's seconds, not these
    medians = measure("balance_measures", everything | each, rounds=1, cpu_seconds=work, **sizes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"all in turn for {users:,} users: {medians['everything']:.1f} s, {work:.1f} CPU s, {peak:.1f} GiB")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:] or ("200000",)))
