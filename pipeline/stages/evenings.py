"""A night's rankings as one evening of a replay: of users whom the models ranked, every surface's candidates.

Not here: the rankings themselves (`stages.blocks`), and living evenings through (`pipeline.balance.replay`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.balance.replay import Evening
from pipeline.balance.replayed import Groups
from pipeline.balance.surface import Rankings
from pipeline.balance.surfaces import Ranked
from pipeline.stages.blocks import Block, blocks_of, core, rankings
from pipeline.stages.scene import Scene

MAIN = 0.05  # share of the merit under which a brand is one of the others
THIRDS = (1 / 3, 2 / 3)


def evening(scene: Scene) -> Evening:
    """What the night has to make lists of; users who get what is popular are left out."""
    return assembled(scene, [block for block in blocks_of(scene, common=False) if not block.common])


def assembled(scene: Scene, blocks: Sequence[Block]) -> Evening:
    """What some blocks have to make lists of; what is common is common to them."""
    shared = core(scene, blocks)
    companies = [block.company for block in blocks]
    ranked = [rankings(scene, block, shared) for block in blocks]
    rows = np.concatenate([one.rows for one in companies])
    return Evening(
        day=scene.day,
        users=pa.concat_arrays([one.users for one in companies]),
        ids=scene.before.ids,
        idle=np.concatenate([one.idle for one in companies]),
        rankings={name: _joined([one[name] for one in ranked]) for name in ranked[0]},
        facts=replace(scene.facts, age=sp.vstack([one.facts.age for one in companies], format="csr")),
        taste=scene.tastes[rows],
        evidence=np.concatenate([one.evidence for one in companies]),
        category=scene.shelf,
        salt=f"{scene.night.shop.name}:{scene.day}",
    )


def groups(scene: Scene, evening: Evening) -> Groups:
    """Goods by brand, small ones together, against who took them of late; users by how often they come, in thirds."""
    gone = len(evening.ids) - len(scene.inputs.space.ids)
    merit = np.r_[scene.history.buyers_recent, np.zeros(gone)].astype(np.float64)
    brands = pc.fill_null(scene.inputs.catalogue.column("brand").combine_chunks(), "").dictionary_encode()
    brand = np.r_[np.asarray(brands.indices), np.zeros(gone, np.int64)].astype(np.int64)
    share = np.bincount(brand, merit) / max(merit.sum(), 1)
    item = np.where(share[brand] >= MAIN, brand, len(share))
    return Groups(item, merit, thirds(evening.evidence))


def thirds(values: np.ndarray) -> np.ndarray:
    """The third of all that each value stands in: int 0, 1 or 2; equal values stand together."""
    return np.searchsorted(np.quantile(values, THIRDS), values, side="left")


def _joined(blocks: Sequence[Rankings]) -> Rankings:
    """Rankings of several blocks as one; what one block lacks is empty there."""
    users = [len(one.free.items) for one in blocks]
    free, champion, core = (
        _stacked([getattr(one, name) for one in blocks], users) for name in ("free", "champion", "core")
    )
    return Rankings(free or blocks[0].free, champion, core)


def _stacked(parts: Sequence[Ranked | None], users: Sequence[int]) -> Ranked | None:
    width = max((one.items.shape[1] for one in parts if one), default=0)
    if not width:
        return None
    none = [Ranked(np.full((count, width), -1), np.full((count, width), -np.inf)) for count in users]
    whole = [one or empty for one, empty in zip(parts, none, strict=True)]
    return Ranked(
        np.concatenate([_wide(one.items, width, -1) for one in whole]),
        np.concatenate([_wide(one.scores, width, -np.inf) for one in whole]),
    )


def _wide(values: np.ndarray, width: int, pad: float) -> np.ndarray:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=pad)
