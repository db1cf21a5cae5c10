"""Removes what nobody needs: what dead runs left, snapshots past their keep, models and vectors that none names.

A run is at work while a process of it lives; between Airflow's tasks none does, so what is young stays, too.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Refused
from pipeline.settings import Night
from pipeline.warehouse import durable, fence, staging
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.pins import pins
from pipeline.warehouse.snapshot import FOLDER, history, pointer

READERS = ("encoder", "sentiment")  # models that leave what they made of texts
GRACE_HOURS = 26.0  # by then a night and its retries are over


def sweep(root: Path, keep: int, *, grace_hours: float = 0.0, dry: bool = False) -> list[Path]:
    """Remove from a warehouse what runs left that are over, partial files and old snapshots.

    Args:
        root: the warehouse's folder.
        keep: snapshots to keep, newest day first. CURRENT, its parent, what is pinned and what is being read stay, too.
        grace_hours: what is younger and no snapshot stays, in hours.
        dry: only say what would be removed.

    Returns:
        What was removed.
    """
    with durable.locked(root):
        scene = _Scene.of(root, [], grace_hours)
        doomed = [*scene.over, *scene.partial(root), *_past_keep(root, keep, "")]
        return doomed if dry else _discard(root, doomed)


def tidy(night: Night, *, keep: int | None = None, grace_hours: float = GRACE_HOURS, dry: bool = False) -> list[Path]:
    """Sweep all of a shop's files; what a snapshot that stays names, or the notes of a run at work, stays.

    Args:
        night: any night of the shop.
        keep: snapshots to keep, see `sweep`; as the settings say when left out.
        grace_hours: what is younger and no snapshot stays, in hours.
        dry: only say what would be removed.

    Returns:
        What was removed.
    """
    root, works = night.warehouse, night.work.parent
    with durable.locked(root):
        scene = _Scene.of(root, [works], grace_hours)
        notes = _text(path for run in scene.at_work for path in (works / run).glob("*.json"))
        snapshots = _past_keep(root, keep or night.shop.keep_snapshots, notes)
        kept = [one for one in history(root) if root / FOLDER / one.snapshot not in snapshots]
        named = notes + " ".join(version for one in kept for version in one.models.values())
        # A model names the encoder whose vectors it reads.
        named += _text(path for path in night.models.glob("*/*/config.json") if path.parent.name in named)
        # The newest a search found of each model is still to be judged, or was promoted or not by now.
        named += _text(_shown(one, "*.json")[-1] for one in _shown(night.root / "tuning", "*") if _shown(one, "*.json"))
        models = [path for path in _shown(night.models, "*/*") if path.name not in named and scene.is_old(path)]
        readers = {path.name for one in READERS for path in _shown(night.models, f"{one}/*") if path not in models}
        vectors = [path for path in _shown(night.embeddings, "*") if path.name not in readers]
        partial = scene.partial(root, works, night.feeds, night.models, night.embeddings)
        doomed = [*scene.over, *partial, *snapshots, *models, *vectors]
        return doomed if dry else _discard(root, doomed)


def remove(root: Path, ids: Collection[str]) -> list[Path]:
    """Remove these snapshots now; those that are gone already are no matter.

    Raises:
        Refused: one is current, pinned or being read; the others stay, too.
    """
    with durable.locked(root):
        folders = [path for one in sorted(ids) if (path := root / FOLDER / one).is_dir()]
        for name, kept in {"CURRENT": pointer(root), **pins(root)}.items():
            if kept in ids:
                raise Refused(f"{root}: snapshot {kept} is kept as '{name}'; roll back or unpin it first")
        busy = [path.name for path in folders if durable.is_held(path)]
        gone = [] if busy else _discard(root, folders)
        if busy := [path.name for path in folders if path not in gone]:
            raise Refused(f"{root}: snapshot {busy[0]} is being read; wait for its readers, then remove it again")
    return folders


@dataclass(frozen=True)
class _Scene:
    """What the janitor finds.

    Attributes:
        at_work: names of the runs that are not over.
        over: folders of those that are.
        now: by the disk's own clock, in seconds.
        grace: seconds for which what is young stays.
    """

    at_work: frozenset[str]
    over: list[Path]
    now: float
    grace: float

    @classmethod
    def of(cls, root: Path, works: list[Path], grace_hours: float) -> "_Scene":
        (root / durable.LOCK).touch()
        now, grace = (root / durable.LOCK).stat().st_mtime, grace_hours * 3600
        places = [root / staging.FOLDER, root / fence.FOLDER, *works]
        folders = [path for place in places for path in _shown(place, "*")]
        at_work = frozenset(
            path.name for path in folders if now - path.stat().st_mtime < grace or fence.is_live(root, path.name)
        )
        return cls(at_work, [path for path in folders if path.name not in at_work], now, grace)

    def is_old(self, path: Path) -> bool:
        return self.now - path.lstat().st_mtime >= self.grace

    def partial(self, *places: Path) -> list[Path]:
        """Files that were never finished; while a run is at work, a young one may be its own."""
        grace = max(self.grace, GRACE_HOURS * 3600) if self.at_work else self.grace
        hidden = [path for place in places for path in place.rglob(".*") if path.name != durable.LOCK]
        return [path for path in hidden if self.now - path.lstat().st_mtime >= grace]


def _past_keep(root: Path, keep: int, needed: str) -> list[Path]:
    """Snapshots that may go: but for CURRENT, the one a rollback goes to, the pinned, and those named in a text."""
    manifests, now = history(root), pointer(root)
    stays = {now, *pins(root).values(), *(one.snapshot for one in manifests[:keep])}
    stays |= {one.parent for one in manifests if one.snapshot == now}
    gone = [one.snapshot for one in manifests if one.snapshot not in stays and one.snapshot not in needed]
    return [path for one in gone if not durable.is_held(path := root / FOLDER / one)]


def _discard(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Remove what nobody holds; each is out of sight in one step, so that no reader meets half of it."""
    return [path for path in paths if path.exists() and durable.take_away(path, root / staging.FOLDER, Step.REMOVAL)]


def _shown(folder: Path, pattern: str) -> list[Path]:
    return [path for path in sorted(folder.glob(pattern)) if not path.name.startswith(".")]


def _text(paths: Iterable[Path]) -> str:
    return " ".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)
