"""Blocks of users against tiles of items in whole numbers: what may be among a user's best, then its exact score.

Vectors are rounded to eight bits, whose products a processor sums several times faster than floats'. How far such a
score can be from the true one is bounded by the lengths of what rounding took off (Cauchy-Schwarz), so what cannot
reach the true score of the K-th is left out for certain, and only the rest is scored exactly, pair by pair: a score
does not depend on who else is asked for. A sample of the items says beforehand where the K-th best may lie; a
user for whom that was too high is scanned again without it.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

BLOCK, TILE, SAMPLE = 256, 8192, 4096
PAIRS, FEW = 1 << 16, 16  # pairs scored, and users scanned without a bound, at once
SLACK = 3.0  # deviations by which the sampled bound is lowered
CODE, LANES = 127, 16  # the largest code; widths are padded to a multiple of this
ROUNDING = 1e-5  # what a sum of floats may be wrong by, as a share of the product of the lengths
NOTHING, ALL = np.iinfo(np.int32).max, np.iinfo(np.int32).min + 1  # bounds that nothing and everything reaches
EXCLUDED = ALL - 1
WORD, LOW = 32, (1 << 32) - 1  # a key is a value above an item
LAST = np.iinfo(np.int64).max  # the key of no candidate, after all others

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # row in the block, item, score


@dataclass(frozen=True)
class Block:
    """Users as codes.

    Attributes:
        users: float32 [U, D].
        codes: int8 [BLOCK, W], zeros pad.
        unit: float64 [U] what one step of a score in whole numbers is worth.
        unsure: int64 [U] by how many steps such a score may be off the true one.
    """

    users: np.ndarray
    codes: torch.Tensor
    unit: np.ndarray
    unsure: np.ndarray

    def bounds(self, values: np.ndarray) -> np.ndarray:
        """The least score in whole numbers that a true score of `values` [U] can have: int64 [U]."""
        return np.clip(np.floor(values / self.unit) - self.unsure, ALL, NOTHING).astype(np.int64)


class Scan:
    """Items prepared for scanning.

    Args:
        items: float32 [R, D].
        k: places of a list.
    """

    def __init__(self, items: np.ndarray, k: int) -> None:
        self.items, self.k = np.ascontiguousarray(items, np.float32), k
        self.step = np.float32(max(self.items.max(initial=0), -self.items.min(initial=0)) / CODE or 1)
        codes, lost, length = _coded(self.items, np.full((len(items), 1), self.step))
        self.codes, self.lost, self.length = torch.from_numpy(codes), lost.max(initial=0), length.max(initial=0)
        self.sample = self.codes[:: max(1, len(items) // SAMPLE)][:SAMPLE].contiguous()

    def block(self, users: np.ndarray) -> Block:
        """At most BLOCK users, float32 [U, D], prepared for it."""
        step = np.abs(users).max(axis=1, keepdims=True, initial=0) / CODE
        step[step == 0] = 1.0
        codes, lost, length = _coded(users, step)
        padded = np.zeros((BLOCK, codes.shape[1]), np.int8)
        padded[: len(users)] = codes
        unit = step[:, 0].astype(np.float64) * self.step
        off = length * self.lost + lost * (self.length + self.lost) + ROUNDING * length * self.length
        return Block(users, torch.from_numpy(padded), unit, np.ceil(off / unit).astype(np.int64) + 1)

    def best(self, users: np.ndarray, excluded: sp.csr_matrix | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The best items of at most BLOCK users: int64 [U, k], -1 pads, and their scores float32 [U, k], 0 pads.

        Args:
            users: float32 [U, D].
            excluded: bool CSR [U, R] what stands in no list of theirs.
        """
        block = self.block(users)
        likely = self._likely(block, 0 if excluded is None else int(np.diff(excluded.indptr).max(initial=0)))
        items, scores, sure = self._above(block, likely, excluded)
        short = np.flatnonzero(~sure)
        for start in range(0, len(short), FEW):
            some = short[start : start + FEW]
            held, bounds = None if excluded is None else excluded[some], np.full(len(some), ALL)
            items[some], scores[some], _ = self._above(self.block(users[some]), bounds, held)
        return items, scores

    def exact(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Scores of pairs: float32."""
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(row), PAIRS):
            left, right = (
                np.take(vectors, places[start : start + PAIRS], axis=0)
                for vectors, places in ((users, row), (self.items, item))
            )
            parts.append(np.einsum("pd,pd->p", left, right))
        return np.concatenate(parts)

    def reaching(self, block: Block, bounds: np.ndarray, excluded: sp.csr_matrix | None) -> Pairs:
        """What reaches its user's bound and is not excluded: row, item and score in whole numbers."""
        least = np.full((BLOCK, 1), NOTHING, np.int32)
        least[: len(bounds), 0] = np.clip(bounds, ALL, NOTHING)
        none: np.ndarray = np.zeros(0, np.int64)  # where no item is allowed, nothing reaches it
        hits, values = [none], [none.astype(np.int32)]
        owner, held, ends = self._by_tile(excluded)
        room = torch.empty(BLOCK * min(TILE, len(self.items)), dtype=torch.int32)
        for at, start in enumerate(range(0, len(self.items), TILE)):
            codes = self.codes[start : start + TILE]
            tile = torch._int_mm(block.codes, codes.T, out=room[: BLOCK * len(codes)].view(BLOCK, -1)).numpy()
            some = slice(ends[at], ends[at + 1])
            tile[owner[some], held[some] - start] = EXCLUDED
            row, column = np.divmod(np.flatnonzero(tile >= least), len(codes))
            values.append(tile[row, column])
            hits.append(row * len(self.items) + column + start)
        return *np.divmod(np.concatenate(hits), max(1, len(self.items))), np.concatenate(values)

    def _by_tile(self, excluded: sp.csr_matrix | None) -> Pairs:
        """Excluded pairs, row and item, by tile, and where each tile begins among them."""
        if excluded is None:
            excluded = sp.csr_matrix((0, len(self.items)), dtype=bool)
        order = np.argsort(excluded.indices, kind="stable")
        held = excluded.indices[order]
        owner = np.repeat(np.arange(excluded.shape[0]), np.diff(excluded.indptr))[order]
        return owner, held, np.searchsorted(held, np.arange(0, len(self.items) + TILE, TILE))

    def _likely(self, block: Block, held: int) -> np.ndarray:
        """Most likely below each user's K-th best score in whole numbers when `held` items are excluded: int64 [U]."""
        share = len(self.sample) / max(1, len(self.items))
        expected = (self.k + held) * share
        rank = int(np.ceil(expected + SLACK * np.sqrt(expected))) + 1
        if rank >= len(self.sample):
            return np.full(len(block.users), ALL)
        scores = torch._int_mm(block.codes, self.sample.T)[: len(block.users)]
        return torch.topk(scores, rank, dim=1).values[:, -1].numpy().astype(np.int64)

    def _above(
        self, block: Block, likely: np.ndarray, excluded: sp.csr_matrix | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lists as of `best`, and which are right for certain, bool [U]: whose last score is not below `likely`."""
        keys = _keys(*self.reaching(block, likely - block.unsure, excluded), len(likely))
        row, at = np.nonzero(keys[:, : self.k] != LAST)
        item = keys[row, at] & LOW
        score = self.exact(block.users, row, item)
        # The least true score of the first k bounds the true k-th from below: what cannot reach it is left out.
        least = np.full((len(likely), self.k), -np.inf, np.float32)
        least[row, at] = score
        others = keys[:, self.k :]
        more, at = np.nonzero(others <= (~block.bounds(least.min(axis=1)) << WORD | LOW)[:, None])
        row, item = np.concatenate([row, more]), np.concatenate([item, others[more, at] & LOW])
        score = np.concatenate([score, self.exact(block.users, more, item[len(score) :])])
        items, scores = ranked(row, item, score, len(likely), self.k)
        return items, scores, (likely == ALL) | (items[:, -1] >= 0) & (scores[:, -1] >= likely * block.unit)


def ranked(row: np.ndarray, item: np.ndarray, score: np.ndarray, rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs as lists: items int64 [rows, k], best first, ties by item, -1 pads; scores float32 [rows, k], 0 pads."""
    keys = _keys(row, item, _ordered((score + np.float32(0)).view(np.int32)), rows)[:, :k]  # -0.0 is 0.0
    keys = np.pad(keys, ((0, 0), (0, k - keys.shape[1])), constant_values=LAST)
    scores = _ordered((~(keys >> WORD)).astype(np.int32)).view(np.float32)
    return np.where(keys == LAST, -1, keys & LOW), np.where(keys == LAST, np.float32(0), scores)


def _keys(row: np.ndarray, item: np.ndarray, value: np.ndarray, rows: int) -> np.ndarray:
    """Pairs by row as numbers that sort by falling int32 value, then item: int64 [rows, most of a row], LAST pads."""
    order = np.argsort(row.astype(np.uint16), kind="stable")
    row, count = row[order], np.bincount(row, minlength=rows)
    keys = np.full((rows, count.max(initial=0)), LAST)
    keys[row, np.arange(len(row)) - (np.cumsum(count) - count)[row]] = (
        ~value[order].astype(np.int64) << WORD | item[order]
    )
    keys.sort(axis=1)
    return keys


def _ordered(bits: np.ndarray) -> np.ndarray:
    """Bits of floats as whole numbers that sort as they do, and back: int32."""
    return bits ^ (bits >> 31 & np.int32(NOTHING))


def _coded(vectors: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors [N, D] in whole steps [N, 1]: int8 [N, W]; lengths of what that took off and of them, float32 [N]."""
    codes = np.zeros((len(vectors), -(-vectors.shape[1] // LANES) * LANES), np.int8)
    lost, length = np.zeros((2, len(vectors)), np.float32)
    for start in range(0, len(vectors), BLOCK):  # a block at a time stays in the cache
        some = slice(start, start + BLOCK)
        whole = np.rint(vectors[some] / step[some])
        codes[some, : vectors.shape[1]] = whole
        rest = vectors[some] - whole * step[some]
        lost[some], length[some] = (np.sqrt(np.einsum("vd,vd->v", one, one)) for one in (rest, vectors[some]))
    return codes, lost, length
