"""Scores of gradient-boosted trees for many rows: LightGBM's own to the last bit, several times as fast.

Of every split of a tree it is asked which rows pass it; those that do not lose the leaves on its left side, and the
first leaf that is left to a row is its own (QuickScorer, Lucchese et al. 2015). So rows are compared many at once, and
nothing waits for the way that one takes. Not here: what features add to a score (`tree_shares`).
"""

from typing import NamedTuple

import lightgbm
import numba
import numpy as np

from pipeline.models.tree_shares import paths_of, rounded_down, splits_of, starts_of, takes_unknown

LEAVES = 32  # of a tree at most: those left to a row are bits of a whole number
SPREAD, SHIFT = np.uint32(0x077CB531), np.uint32(27)  # tells the bit of a power of two (Leiserson et al. 1998)
AT_ONCE = 1024  # rows whose features stay near while all trees pass over them


class Trees(NamedTuple):
    """Trees as arrays, each one's splits behind those of the one before: T trees, S splits.

    Attributes:
        splits: int [T + 1] where each tree's begin.
        feature: int [S] of a split.
        most: float32 [S] up to which a row passes it.
        passes_unknown: bool [S] a row passes it without a value.
        kept: uint32 [S] leaves that are left to a row which does not pass, by bits.
        value: float64 [T, LEAVES] of each leaf, where its bit is told to be.
    """

    splits: np.ndarray
    feature: np.ndarray
    most: np.ndarray
    passes_unknown: np.ndarray
    kept: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, model: lightgbm.Booster) -> "Trees":
        """A model's.

        Raises:
            ValueError: a tree has more leaves than LEAVES, or a split that asks for anything but a number's size.
        """
        roots = [tree["tree_structure"] for tree in model.dump_model()["tree_info"]]
        splits, paths = [splits_of(root) for root in roots], [list(paths_of(root)) for root in roots]
        flat = [one for tree in splits for one in tree]
        if wrong := [one for one in flat if one["decision_type"] != "<="]:
            raise ValueError(f"split by {wrong[0]['decision_type']}: only trees that ask for sizes are scored")
        if max(map(len, paths), default=0) > LEAVES:
            raise ValueError(f"a tree of {max(map(len, paths))} leaves: those of {LEAVES} at most are scored")
        bits = np.uint32(1) << np.arange(LEAVES, dtype=np.uint32)
        value = np.zeros((len(paths), LEAVES))
        kept = [np.full(len(tree), ~np.uint32(0)) for tree in splits]
        for tree, leaves in enumerate(paths):
            value[tree, (bits[: len(leaves)] * SPREAD) >> SHIFT] = [one for one, _steps in leaves]
            for bit, (_value, steps) in zip(bits, leaves, strict=False):
                for split, _feature, goes_left, _share in steps:
                    if goes_left:
                        kept[tree][split] &= ~bit
        return cls(
            splits=starts_of(splits),
            feature=np.array([one["split_feature"] for one in flat], np.int64),
            most=rounded_down(np.array([one["threshold"] for one in flat], np.float64)),
            passes_unknown=np.array([takes_unknown(one) for one in flat], bool),
            kept=np.concatenate([np.zeros(0, np.uint32), *kept]),
            value=value,
        )

    def scores(self, features: np.ndarray) -> np.ndarray:
        """The sum of the leaves of each row: float64 [N] (log-odds), of float32 [N, F]."""
        found = np.zeros(len(features))
        for start in range(0, len(features), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            _add(np.ascontiguousarray(features[rows].T), self, found[rows])
        return found


@numba.njit(nogil=True)
def _add(columns: np.ndarray, trees: Trees, found: np.ndarray) -> None:
    """Add what all trees say of rows float32 [F, N] to what is found float64 [N]."""
    left = np.empty(len(found), np.uint32)
    for tree in range(len(trees.value)):
        left[:] = ~np.uint32(0)
        for split in range(trees.splits[tree], trees.splits[tree + 1]):
            column, most, kept = columns[trees.feature[split]], trees.most[split], trees.kept[split]
            if trees.passes_unknown[split]:
                for row in range(len(left)):
                    left[row] &= kept if column[row] > most else ~np.uint32(0)
            else:
                for row in range(len(left)):
                    left[row] &= ~np.uint32(0) if column[row] <= most else kept
        values = trees.value[tree]
        for row in range(len(left)):
            first = left[row] & (~left[row] + np.uint32(1))
            found[row] += values[np.uint32(first * SPREAD) >> SHIFT]
