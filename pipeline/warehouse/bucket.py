"""Published snapshots in an object store, which cannot rename: what readers on other machines see.

`moves/<number>.json` is the whole state after a move, and the highest number is what holds. A number is put only where
none stands (`If-None-Match`, as Delta Lake's log does), so of two writers one is told that it lost. A snapshot's files
lie below `snapshots/` in a folder that no other upload uses; until a move names it nobody reads it.
"""

import json
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]

from pipeline.errors import CommitStateUnknown, ConfigError, DataError, NoData, Refused, ShopkeelError, Superseded
from pipeline.settings import Shop
from pipeline.warehouse import durable
from pipeline.warehouse import manifest as manifests
from pipeline.warehouse.failpoints import Step, reached
from pipeline.warehouse.manifest import Manifest, day_of
from pipeline.warehouse.snapshot import Snapshot, verify

MOVES, SNAPSHOTS, CLOCK = "moves", "snapshots", "clock"
# s3fs tries five times by itself; botocore's own attempts would multiply that.
_S3 = {"connect_timeout": 10, "read_timeout": 30, "retries": {"total_max_attempts": 1}}
OPTIONS: dict[str, dict[str, Any]] = {"s3": {"config_kwargs": _S3}}


@dataclass(frozen=True)
class Move:
    """The state after a move.

    Attributes:
        number: counts the moves, from 1; 0 is an empty bucket.
        kind: commit, backfill, rollback, pin, unpin or removal.
        current: the snapshot readers get.
        parent: where a rollback of it goes.
        folders: the folder of each snapshot that stands, by id.
        pins: snapshots that are kept, by name.
        writer: drawn by who made the move, to know it again.
    """

    number: int = 0
    kind: str = ""
    current: str | None = None
    parent: str | None = None
    folders: dict[str, str] = field(default_factory=dict)
    pins: dict[str, str] = field(default_factory=dict)
    writer: str = ""

    def next(self, kind: str, **changed: Any) -> "Move":
        """The move after this one."""
        return replace(self, number=self.number + 1, kind=kind, writer=secrets.token_hex(8), **changed)


class Bucket:
    """A shop's snapshots below an fsspec URI. The store's own credentials and endpoint come from the environment.

    Everything raises OSError when the store does not answer.
    """

    def __init__(self, uri: str) -> None:
        """Raises ConfigError: the URI's protocol is unknown, or its package is not installed."""
        try:
            options = OPTIONS.get(uri.partition("://")[0], {})
            self.fs, root = fsspec.url_to_fs(uri, skip_instance_cache=True, use_listings_cache=False, **options)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"object_store '{uri}': {error}; install that package or mend the URI") from error
        self.uri, self.root = uri, root.rstrip("/")

    @classmethod
    def of(cls, shop: Shop) -> "Bucket | None":
        """The shop's, if it has one."""
        return cls(shop.object_store) if shop.object_store else None

    def state(self) -> Move:
        """What holds now.

        Raises:
            DataError: the last move is no move of ours.
        """
        with self._asked():
            last = max(self._names(MOVES), default=None)
            text = self.fs.cat_file(f"{self.root}/{MOVES}/{last}") if last else b"{}"
        try:
            return Move(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise DataError(f"{self.uri}/{MOVES}/{last}: not readable as a move ({error}); remove it") from error

    def manifest(self, snapshot_id: str | None = None) -> Manifest:
        """A snapshot's manifest; the current one's when left out.

        Raises:
            NoData: nothing is published, or not this one.
            DataError: it is broken.
        """
        folder = self._folder(self.state(), snapshot_id)
        with self._asked():
            text = self.fs.cat_file(f"{folder}/{manifests.FILE}")
        return Manifest.from_json(text, f"{folder}/{manifests.FILE}")

    def path(self, table: str, snapshot_id: str | None = None) -> str:
        """A table's Parquet file, for any engine that reads `fs`; it stays as long as its snapshot.

        Raises:
            NoData: nothing is published, or not this one.
        """
        return f"{self._folder(self.state(), snapshot_id)}/{table}.parquet"

    def publish(self, snapshot: Snapshot, kind: str, after: str | None) -> None:
        """Show a snapshot to readers; doing it again changes nothing.

        Args:
            snapshot: one of a local warehouse.
            kind: commit and rollback make it current; a backfill stands beside what is.
            after: the id that must be current still.

        Raises:
            Superseded: another is.
            ConfigError: the store overwrites what it was asked not to.
            CommitStateUnknown: the store stopped answering: the same again resolves it.
        """
        leads, uploaded = kind != "backfill", ""
        while True:
            now = self.state()
            if snapshot.id == now.current or (not leads and snapshot.id in now.folders):
                return
            if leads and now.current != after:
                words = "bring it here with `shopkeel mirror`, or run the date again on top of it"
                raise Superseded(f"{self.uri}: readers see {now.current}, not {after}, since the run began; {words}")
            uploaded = now.folders.get(snapshot.id) or uploaded or self._upload(snapshot)
            shown = {"current": snapshot.id, "parent": snapshot.manifest.parent} if leads else {}
            if self._moved(now.next(kind, folders=now.folders | {snapshot.id: uploaded}, **shown)):
                return

    def pin(self, name: str, snapshot_id: str) -> None:
        """Keep a snapshot under a name; one that stands only elsewhere is no matter."""
        while snapshot_id in (now := self.state()).folders and now.pins.get(name) != snapshot_id:
            self._moved(now.next("pin", pins=now.pins | {name: snapshot_id}))

    def unpin(self, name: str) -> None:
        """Let a name's snapshot go; none there is fine."""
        while name in (now := self.state()).pins:
            self._moved(now.next("unpin", pins={one: kept for one, kept in now.pins.items() if one != name}))

    def remove(self, ids: Collection[str]) -> list[str]:
        """Remove these snapshots now, whoever reads them; those that are gone already are no matter.

        Raises:
            Refused: one is current or pinned; the others stay, too.
        """
        while True:
            now = self.state()
            for name, kept in {"CURRENT": now.current, **now.pins}.items():
                if kept in ids:
                    raise Refused(f"{self.uri}: snapshot {kept} is kept as '{name}'; roll back or unpin it first")
            gone = {one: folder for one, folder in now.folders.items() if one in ids}
            left = {one: folder for one, folder in now.folders.items() if one not in gone}
            if not gone or self._moved(now.next("removal", folders=left)):
                break
        for folder in gone.values():
            self._discard(folder)
        return sorted(gone)

    def sweep(self, keep: int, *, grace_hours: float) -> list[str]:
        """Remove old snapshots and what uploads left that never ended.

        Args:
            keep: snapshots to keep, newest day first. What is current, its parent, what is pinned and what was current
                within the grace stay, too.
            grace_hours: for as long may a reader read on, and an upload take.

        Returns:
            What was removed.
        """
        now, recent = self.state(), self._since(grace_hours)
        newest = sorted(now.folders, key=lambda one: (day_of(one), one), reverse=True)[:keep]
        stays = {now.current, now.parent, *now.pins.values(), *newest, *recent}
        gone = self.remove(now.folders.keys() - stays)
        with self._asked():
            named = {folder.rpartition("/")[2] for folder in self.state().folders.values()}
            loose = [one for one in self._names(SNAPSHOTS) if one not in named]
            for one in loose:
                folder = f"{self.root}/{SNAPSHOTS}/{one}"
                files = [path for path in self.fs.find(folder) if path != folder]  # an empty one may linger by name
                if files and all(self._age(path) >= grace_hours for path in files):
                    self._discard(f"{SNAPSHOTS}/{one}")
                    gone.append(one)
        return gone

    def fetch(self, snapshot_id: str, folder: Path) -> None:
        """Copy a snapshot's files into a folder.

        Raises:
            NoData: it does not stand here.
            DataError: a file is not what the manifest says.
        """
        source = self._folder(self.state(), snapshot_id)
        folder.mkdir(parents=True)
        with self._asked():
            for path in self.fs.find(source):
                self.fs.get_file(path, str(folder / path.rpartition("/")[2]))
        manifest = Manifest.from_json((folder / manifests.FILE).read_bytes(), f"{source}/{manifests.FILE}")
        if problems := verify(Snapshot(folder, manifest)):
            raise DataError(f"{source}: {'; '.join(problems)}; roll back, or run its date again")

    def _folder(self, state: Move, snapshot_id: str | None) -> str:
        named = snapshot_id or state.current
        if named is None or named not in state.folders:
            known = ", ".join(sorted(state.folders, reverse=True)) or "nothing yet"
            raise NoData(f"{self.uri}: no snapshot {named or 'is published'}; there is {known}")
        return f"{self.root}/{state.folders[named]}"

    def _upload(self, snapshot: Snapshot) -> str:
        """Copy a snapshot to a folder of its own, the manifest last; gives the folder below the root."""
        folder = f"{SNAPSHOTS}/{snapshot.id}.{secrets.token_hex(4)}"
        files = [*(file.file for file in snapshot.manifest.tables.values()), manifests.FILE]
        for name in files:
            reached(f"before-{Step.UPLOAD}")
            with self._asked():
                self.fs.put_file(str(snapshot.folder / name), f"{self.root}/{folder}/{name}")
            reached(f"after-{Step.UPLOAD}")
        return folder

    def _moved(self, move: Move) -> bool:
        """Make a move unless somebody was faster; whatever the store answered, what stands there says how it went."""
        path = f"{self.root}/{MOVES}/{move.number:010d}.json"
        data = (json.dumps(asdict(move), sort_keys=True) + "\n").encode()
        if move.number == 1:
            self._refuses_to_overwrite()
        reached(f"before-{Step.MOVE}")
        failure: Exception | None = None
        with durable.guarded():
            try:
                self.fs.pipe_file(path, data, mode="create")
            except Exception as error:  # each store has its own for "exists" and for "no answer"
                failure = error
        reached(f"after-{Step.MOVE}")
        if failure is None:
            return True
        try:
            with self._asked():
                return bool(self.fs.cat_file(path) == data)
        except FileNotFoundError:
            raise OSError(f"{self.uri}: move {move.number} was not taken ({failure})") from failure
        except OSError as error:
            words = "run the same again, which resolves it"
            raise CommitStateUnknown(f"{self.uri}: no answer to move {move.number} ({failure}); {words}") from error

    def _refuses_to_overwrite(self) -> None:
        """Try the store out before the first move: all rests on this."""
        path = f"{self.root}/{MOVES}.trial-{secrets.token_hex(4)}"
        with self._asked():
            self.fs.pipe_file(path, b"first", mode="create")
        try:
            self.fs.pipe_file(path, b"second", mode="create")
        except Exception:  # as it should
            return
        finally:
            self.fs.rm_file(path)
        raise ConfigError(f"{self.uri}: this store overwrites what it was asked not to; choose one with If-None-Match")

    def _since(self, hours: float) -> set[str | None]:
        """What was current at any time of the last hours."""
        seen: set[str | None] = set()
        for name in sorted(self._names(MOVES), reverse=True):
            path = f"{self.root}/{MOVES}/{name}"
            with self._asked():
                seen.add(json.loads(self.fs.cat_file(path))["current"])
            if self._age(path) >= hours:
                break
        return seen

    def _age(self, path: str) -> float:
        """Hours since an object was put, by the store's own clock."""
        clock = f"{self.root}/{CLOCK}"
        with self._asked():
            self.fs.pipe_file(clock, b"")
            return float((self.fs.modified(clock) - self.fs.modified(path)).total_seconds() / 3600)

    def _names(self, folder: str) -> list[str]:
        """What stands in a folder, by its last name."""
        with self._asked():
            try:
                return [path.rstrip("/").rpartition("/")[2] for path in self.fs.ls(f"{self.root}/{folder}", False)]
            except FileNotFoundError:
                return []

    def _discard(self, folder: str) -> None:
        reached(f"before-{Step.REMOVAL}")
        with self._asked():
            self.fs.rm(f"{self.root}/{folder}", recursive=True)
        reached(f"after-{Step.REMOVAL}")

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Whatever a store's package raises is the store's failure to answer."""
        try:
            yield
        except (OSError, ShopkeelError):
            raise
        except Exception as error:
            raise OSError(f"{self.uri}: {error}") from error
