"""Free lists: what the models alone would show, left by `score` for `balance`, block by block of users.

Not here: which surface shows what (`pipeline.balance`), and words (`pipeline.explain`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.features.history import History
from pipeline.models import baselines
from pipeline.models.recommendations import Lists
from pipeline.settings import Night
from pipeline.stages.sorted_keys import places
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

WIDE = 60  # places that keep the features behind them, from which reasons are made


@dataclass(frozen=True)
class Free:
    """Ranked candidates of a block of users; B users, N places, W places with features.

    Attributes:
        users: user keys, ascending [B].
        items: int32 [B, N] places in the catalogue, -1 pads.
        scores: float64 [B, N] log-odds, best first.
        features: float32 [B, W, F] behind the first places; F may be 0 where nobody will ask why.
    """

    users: pa.Array
    items: np.ndarray
    scores: np.ndarray
    features: np.ndarray

    @classmethod
    def of(cls, lists: Lists, users: pa.Array) -> "Free":
        """Of lists whose `users` are places in `users`."""
        wide = lists.features[:, :WIDE]
        return cls(users.take(pa.array(lists.users)), lists.items.astype(np.int32), lists.scores, wide)

    @classmethod
    def nothing(cls, users: pa.Array) -> "Free":
        """Of users nothing is ranked for."""
        none = np.zeros((len(users), 0))
        return cls(users, none.astype(np.int32), none, none[..., None].astype(np.float32))

    def bare(self) -> "Free":
        """The same without features."""
        return replace(self, features=self.features[..., :0])


def popular(history: History, recommendable: np.ndarray, users: pa.Array, count: int) -> Free:
    """What sold best of late, for anybody: no reason is asked for, and nothing of the users is looked at."""
    goods = np.flatnonzero(recommendable & (history.buyers_recent > 0))
    best = goods[baselines.top(history.buyers_recent[goods][None, :], count)[0]]
    shape = (len(users), len(best))
    scores = np.broadcast_to(-np.arange(1.0, len(best) + 1), shape)
    return Free(users, np.broadcast_to(best.astype(np.int32), shape), scores, np.zeros((*shape, 0), np.float32))


def keep(night: Night, name: str, blocks: Iterable[Free]) -> int:
    """Write blocks as they come, one row group each; how many users there were."""
    count = 0
    with (
        durable.filled(_path(night, name), Step.WORK) as target,
        # Hardly any number comes twice, so a dictionary of them would cost more than all the rest.
        pq.ParquetWriter(target, _table(NONE).schema, compression="zstd", use_dictionary=False) as writer,
    ):
        for block in blocks:
            writer.write_table(_table(block), row_group_size=max(1, len(block.users)))
            count += len(block.users)
    return count


def read(night: Night, name: str) -> Iterator[Free]:
    """The blocks that `keep` wrote, in its order; none where it was not asked to."""
    for keys, (items, scores, features) in _blocks(night, name, ("items", "scores", "features")):
        yield Free(keys, items, scores, features.reshape(len(keys), min(WIDE, items.shape[1]), -1))


def read_bare(night: Night, name: str) -> Iterator[Free]:
    """The same without features, by far the most of what there is to read."""
    for keys, (items, scores) in _blocks(night, name, ("items", "scores")):
        yield Free(keys, items, scores, np.zeros((len(keys), min(WIDE, items.shape[1]), 0), np.float32))


def _blocks(night: Night, name: str, columns: Sequence[str]) -> Iterator[tuple[pa.Array, list[np.ndarray]]]:
    """User keys and columns [B, all of a row] of each block."""
    path = _path(night, name)
    if not path.exists():
        return
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, ["user_key", *columns])
            keys = table.column("user_key").combine_chunks()
            flat = (table.column(column).combine_chunks().flatten().to_numpy() for column in columns)
            yield keys, [one.reshape(len(keys), -1) for one in flat]


def users(night: Night, name: str) -> pa.Array:
    """All users of the blocks that `keep` wrote, in its order."""
    return pa.concat_arrays([pa.array([], pa.string()), *(keys for keys, _ in _blocks(night, name, ()))])


def is_kept(night: Night, name: str) -> bool:
    """Whether `keep` has been here."""
    return _path(night, name).exists()


def of(night: Night, name: str, users: pa.Array, size: int) -> np.ndarray:
    """The first places of some users' lists (ascending keys): int [S, size], -1 pads."""
    found = np.full((len(users), size), -1, np.int64)
    for keys, (items,) in _blocks(night, name, ("items",)):
        place = places(keys, users)
        found[place[place >= 0], : items.shape[1]] = items[place >= 0, :size]
    return found


def _path(night: Night, name: str) -> Path:
    return night.work / f"free-{name}.parquet"


def _table(block: Free) -> pa.Table:
    def rows(values: np.ndarray) -> pa.Array:
        size = int(np.prod(values.shape[1:]))
        ends = pa.array(np.arange(len(values) + 1, dtype=np.int32) * size, pa.int32())
        return pa.ListArray.from_arrays(ends, pa.array(values.reshape(-1)))

    columns = {"items": block.items, "scores": block.scores, "features": block.features}
    return pa.table({"user_key": block.users} | {name: rows(values) for name, values in columns.items()})


NONE = Free(pa.array([], pa.string()), np.zeros((0, 1), np.int32), np.zeros((0, 1)), np.zeros((0, 1, 0), np.float32))
