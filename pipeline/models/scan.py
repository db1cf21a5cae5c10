"""Blocks of users against tiles of items in whole numbers: what may be among a user's best, then its exact score.

Vectors are rounded to eight bits, whose products a processor sums several times faster than floats'. How far such a
score can be from the true one is bounded by the lengths of what rounding took off (Cauchy-Schwarz), so what cannot
reach the true score of the K-th is left out for certain, and only the rest is scored exactly, pair by pair: a score
does not depend on who else is asked for. A sample of the items says beforehand where the K-th best may lie; a
user for whom that was too high is scanned again from the K-th that was found.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from pipeline.models.pairs import Pairs, coded, largest, listed, packed, reached, settled

BLOCK, TILE, SAMPLE = 512, 2048, 4096
FEW = 16  # users scanned again at once
SLACK = 3.0  # deviations by which the sampled bound is lowered
CODE, LANES, ROWS = 127, 16, 32  # the largest code; widths and users are padded to a multiple of these
ROUNDING = 2e-5  # what a sum of floats may be wrong by, as a share of the product of the lengths
NOTHING, ALL = np.iinfo(np.int32).max, np.iinfo(np.int32).min + 1  # bounds that nothing and everything reaches
EXCLUDED = ALL - 1


@dataclass(frozen=True)
class Block:
    """Users as codes.

    Attributes:
        users: float32 [U, D].
        codes: int8 [V, W], zeros pad.
        step: float64 [U] what one step of a code is worth.
        unit: float64 [U, T] what one step of a score in whole numbers is worth, by tile.
        unsure: float64 [U, T] by how much such a score may be off the true one.
    """

    users: np.ndarray
    codes: torch.Tensor
    step: np.ndarray
    unit: np.ndarray
    unsure: np.ndarray


class Scan:
    """Items prepared for scanning: in tiles of those whose largest numbers are alike, so that steps are narrow.

    Args:
        items: float32 [R, D].
        k: places of a list.
    """

    def __init__(self, items: np.ndarray, k: int) -> None:
        self.items, self.k = np.ascontiguousarray(items, np.float32), k
        width = -(-items.shape[1] // LANES) * LANES
        size = np.maximum(self.items.max(axis=1, initial=0), -self.items.min(axis=1, initial=0))
        self.order = np.argsort(size, kind="stable")
        self.places = np.argsort(self.order)
        starts = np.arange(0, len(items), TILE)
        self.steps = np.maximum.reduceat(size[self.order], starts) / np.float32(CODE)
        self.steps[self.steps == 0] = 1
        codes, lost, length = coded(self.items, self.order, np.repeat(self.steps, TILE)[: len(items)], width)
        self.codes = torch.from_numpy(codes)
        self.lost, self.length = (np.maximum.reduceat(one, starts) for one in (lost, length))
        self.stride = max(1, len(items) // SAMPLE)
        some = np.arange(0, len(items), self.stride)[:SAMPLE]
        self.sample_step = self.steps.max(initial=0)
        steps = np.full(len(some), self.sample_step, np.float32)
        self.sample = torch.from_numpy(coded(self.items, some, steps, width)[0])

    def block(self, users: np.ndarray) -> Block:
        """At most BLOCK users, float32 [U, D], prepared for it."""
        users = np.ascontiguousarray(users, np.float32)
        step = np.maximum(users.max(axis=1, initial=0), -users.min(axis=1, initial=0)) / np.float32(CODE)
        step[step == 0] = 1
        codes, lost, length = coded(users, np.arange(len(users)), step, self.codes.shape[1])
        padding = torch.zeros((-len(users) % ROWS, codes.shape[1]), dtype=torch.int8)
        unsure = np.outer(length, self.lost + ROUNDING * self.length) + np.outer(lost, self.length + self.lost)
        steps = step.astype(np.float64)
        whole = torch.cat([torch.from_numpy(codes), padding])
        return Block(users, whole, steps, np.outer(steps, self.steps), unsure)

    def best(self, users: np.ndarray, excluded: sp.csr_matrix | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The best items of at most BLOCK users: int64 [U, k], -1 pads, and their scores float32 [U, k], 0 pads.

        Args:
            users: float32 [U, D].
            excluded: bool CSR [U, R] what stands in no list of theirs.
        """
        block = self.block(users)
        items, scores, sure = self._above(block, self._likely(block, excluded), excluded)
        short = np.flatnonzero(~sure)
        # The K-th of what was found bounds the true one from below.
        bounds = np.where(items[short, -1] < 0, -np.inf, scores[short, -1]).astype(np.float64)
        for start in range(0, len(short), FEW):
            some = short[start : start + FEW]
            held = None if excluded is None else excluded[some]
            items[some], scores[some], _ = self._above(self.block(users[some]), bounds[start : start + FEW], held)
        return items, scores

    def reaching(self, block: Block, bounds: np.ndarray, excluded: sp.csr_matrix | None) -> Pairs:
        """What may reach its user's bound [U] and is not excluded: row, item, and the most that its score can be."""
        least = np.floor((bounds[:, None] - block.unsure) / block.unit)
        least = np.clip(least, ALL, NOTHING).astype(np.int32)
        products = torch.empty(len(block.codes) * min(TILE, len(self.items)), dtype=torch.int32)
        owner, held, ends = self._by_tile(excluded)
        none: np.ndarray = np.zeros(0, np.int64)  # where no item is allowed, nothing reaches a bound
        found = [(none, none, none.astype(np.float32))]
        for at, start in enumerate(range(0, len(self.items), TILE)):
            codes = self.codes[start : start + TILE]
            out = products[: len(block.codes) * len(codes)].view(-1, len(codes))
            scores = torch._int_mm(block.codes, codes.T, out=out).numpy()
            some = slice(ends[at], ends[at + 1])
            scores[owner[some], held[some] - start] = EXCLUDED
            found.append(reached(scores, least, block.unit, block.unsure, at, self.order[start : start + TILE]))
        row, item, most = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return row, item, most

    def _by_tile(self, excluded: sp.csr_matrix | None) -> Pairs:
        """Excluded pairs, row and place, by tile, and where each tile begins among them."""
        if excluded is None:
            excluded = sp.csr_matrix((0, len(self.items)), dtype=bool)
        held = self.places[excluded.indices]
        order = np.argsort(held, kind="stable")
        owner = np.repeat(np.arange(excluded.shape[0]), np.diff(excluded.indptr))[order]
        return owner, held[order], np.searchsorted(held[order], np.arange(0, len(self.items) + TILE, TILE))

    def _likely(self, block: Block, excluded: sp.csr_matrix | None) -> np.ndarray:
        """Most likely below each user's K-th best score: float64 [U]."""
        expected = self.k * len(self.sample) / max(1, len(self.items))
        rank = int(np.ceil(expected + SLACK * np.sqrt(expected))) + 1
        if rank >= len(self.sample):
            return np.full(len(block.users), -np.inf)
        scores = torch._int_mm(block.codes, self.sample.T)[: len(block.users)].numpy()
        if excluded is not None:
            row, item = excluded.nonzero()
            some = (item % self.stride == 0) & (item < self.stride * len(self.sample))
            scores[row[some], item[some] // self.stride] = EXCLUDED
        return largest(scores, rank) * block.step * self.sample_step

    def _above(
        self, block: Block, likely: np.ndarray, excluded: sp.csr_matrix | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lists as of `best`, and which are right for certain, bool [U]: whose last score is not below `likely`."""
        keys = packed(*self.reaching(block, likely, excluded), len(likely))
        keys.sort(axis=1)
        items, scores = listed(settled(keys, block.users, self.items, self.k), self.k)
        return items, scores, (likely == -np.inf) | (items[:, -1] >= 0) & (scores[:, -1] >= likely)
