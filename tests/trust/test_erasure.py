"""The right to erasure: no file of the whole home knows who is gone, under any of their names."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.erasure import erase_for_good
from pipeline.learning import lineage
from pipeline.privacy import tombstones
from pipeline.privacy.keys import VARIABLE, user_key
from pipeline.settings import Night
from pipeline.warehouse.snapshot import open_snapshot
from tests.chaos.corner import EVENING, PACKAGE, Lane, cut, shop
from tests.chaos.processes import helper
from tests.light import SECRET, LightShop
from tests.test_erasure import DAY, GOODS, STORY
from tests.trust.conftest import Trust, counts

FAR = 987_650_000_000  # added to the corner's household numbers: short ones would be found in any file


def hits(home: Path, words: set[bytes]) -> list[str]:
    """Files whose path, bytes, decoded table or database holds a word; the list of the erased alone may hold keys."""
    files = (path for path in sorted(home.rglob("*")) if path.is_file() and path.name != tombstones.FILE)
    return [
        str(path.relative_to(home)) for path in files if (said := told(path)) and any(word in said for word in words)
    ]


def told(path: Path) -> bytearray:
    """All that a file says."""
    said = bytearray(str(path).encode() + path.read_bytes())
    if path.suffix == ".parquet":
        for column in pq.read_table(path, partitioning=None).columns:
            said += b"".join(str(leaf.to_pylist()).encode() for leaf in leaves(column.combine_chunks()))
    if path.suffix == ".db":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            said += "\n".join(database.iterdump()).encode()
    return said


def leaves(column: Any) -> Iterator[Any]:
    """Distinct values of a column, of each part of a nested one; measures name nobody."""
    if pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type):
        yield from leaves(column.flatten())
    elif pa.types.is_struct(column.type):
        for part in column.flatten():
            yield from leaves(part)
    elif not pa.types.is_floating(column.type):
        yield pc.unique(column)


@dataclass(frozen=True)
class Opened:
    """A home with published nights.

    Attributes:
        night: the last of them.
        users: who is to go.
        later: runs the night after it and gives the models it serves; None where models are counted, not trained.
    """

    night: Night
    users: list[str]
    later: Callable[[], Mapping[str, str]] | None = None


def light(connection: Any, folder: Path) -> Opened:
    """Two nights of the light shop."""
    light = LightShop(connection, folder / "home", list(STORY))
    light.open(GOODS)
    for day in (DAY.replace(day=DAY.day - 1), DAY):
        light.run(day)
    return Opened(light.night(DAY), ["ann"])


def corner(folder: Path, checkpoint: Path) -> Opened:
    """A whole night of a corner shop, MLflow and report included, whose users have names found nowhere else."""
    package = cut(folder)
    for path in sorted((package / PACKAGE / "data").glob("*.parquet")):
        if "household_id" in pq.read_schema(path).names:
            query = f"copy (select * replace (household_id + {FAR} as household_id) from '{path}') to '{path}.new'"
            duckdb.execute(f"{query} (format parquet)")
            Path(f"{path}.new").replace(path)
    lane = Lane(folder / "lane", shop(folder, checkpoint), package, helper())
    lane.folder.mkdir()
    ended = lane.run(day=EVENING)
    assert ended.code == 0, ended.words
    held = pq.read_table(package / PACKAGE / "data" / "transactions.parquet", columns=["household_id"])
    users = sorted({str(one) for one in held.column("household_id").to_pylist()})

    def later() -> Mapping[str, str]:
        ended = lane.run()
        assert ended.code == 0, ended.words
        return open_snapshot(lane.warehouse).manifest.models

    return Opened(lane.night(EVENING), users[::12], later)


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Small counts have the light shop."""
    if counts(0, 1):
        return corner(tmp_path, request.getfixturevalue("tiny_bert"))
    return light(request.getfixturevalue("connection"), tmp_path)


def test_no_file_knows_who_was_erased(opened: Opened, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    night, users = opened.night, opened.users
    words = {name.encode() for user in users for name in (user, user_key(bytes.fromhex(SECRET), user))}
    before = hits(night.home, words)
    assert before, "the search finds nobody"
    done = erase_for_good(night, users)
    assert done.holding == () and done.removed
    left = hits(night.home, words)
    if opened.later:
        served = opened.later()
        assert done.models.keys() >= {"encoder", "recommendations"}
        knew = [name for name, version in served.items() if lineage.knew_erased(night.models, f"{name}/{version}")]
        claim = "models of the night after an erasure that knew who is erased"
        trust.at_most(claim, len(knew), 0, tried=len(served), note=f"{', '.join(served)}: begun anew")
        left += hits(night.home, words)
    files = sum(path.is_file() for path in night.home.rglob("*"))
    note = f"{len(users)} users, {len(before)} files held them, {files} searched"
    trust.at_most("files that know an erased user", len(left), 0, tried=len(words), note=note + ", ".join(left[:3]))
