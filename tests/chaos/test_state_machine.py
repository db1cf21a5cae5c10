"""Whatever happens to a shop, in whatever order, and wherever it is killed: its snapshots say what an oracle says."""

import json
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pipeline import engine
from pipeline.erasure import erase
from pipeline.errors import NoData
from pipeline.feeds import partitions
from pipeline.privacy import tombstones
from pipeline.privacy.keys import VARIABLE as KEY
from pipeline.warehouse import commit as commits
from pipeline.warehouse import durable, janitor, pins, snapshot
from pipeline.warehouse.failpoints import VARIABLE as FAILPOINT
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.manifest import day_of
from tests.chaos.conftest import Matrix, counts
from tests.chaos.processes import begin, end, helper
from tests.feeds.conftest import FIRST
from tests.light import SECRET, Drop, LightShop, Lists, Row, baskets, published_lists, ranked

GOODS, USERS, KEEP = ("soap", "milk", "tea"), ("shopper-ann", "shopper-bob", "shopper-cid"), 2
LINES = st.lists(
    st.tuples(
        st.sampled_from(USERS), st.sampled_from([*GOODS, "never"]), st.sampled_from([100, 100, 0]), st.integers(-1, 2)
    ),
    min_size=1,
    max_size=4,
)

# What a process may be killed at, and the steps it takes.
COMMIT = (Step.TABLE, Step.FACTS, Step.MANIFEST, Step.SNAPSHOT, Step.POINTER, Step.LOG)
ACTIONS: dict[str, tuple[Step, ...]] = {
    "ingest": (Step.PARTITION, Step.THROUGH),
    "run": (Step.FENCE, Step.PARTITION, Step.THROUGH, Step.NOTE, *COMMIT),
    "rollback": (Step.POINTER, Step.LOG),
    "erase": (Step.TOMBSTONE, Step.PARTITION, *COMMIT),
    "gc": (Step.REMOVAL,),
    "pin": (Step.PIN,),
}
PLACES = [
    (action, f"{when}-{step}") for action, steps in ACTIONS.items() for step in steps for when in ("before", "after")
]


def act(shop: LightShop, action: str, day: date, user: str) -> Any:
    """One thing that happens to a shop."""
    night = shop.night(day)
    todo: dict[str, Callable[[], Any]] = {
        "ingest": partial(shop.land, day),
        "run": partial(shop.run, day),
        "rollback": partial(commits.rollback, shop.root),
        "erase": partial(erase, night, [user]),
        "gc": partial(janitor.tidy, night, keep=KEEP, grace_hours=0),
        "pin": partial(pins.pin, shop.root, "kept"),
    }
    return todo[action]()


def doomed(home: Path, drops: list[Drop], action: str, day: date, user: str, place: str) -> None:
    """The same in a process that is killed at a place, if it gets there."""
    os.environ |= {KEY: SECRET, FAILPOINT: place}
    hurry()
    act(LightShop(engine.connect(1), home, drops), action, day, user)


def hurry() -> None:
    """Wait for no disk: of a kill, unlike a power cut, the page cache survives."""
    os.sync = os.fsync = lambda *_: None  # type: ignore[assignment]


@dataclass
class Oracle:
    """What the shop must know, in plain Python.

    Attributes:
        through: the last day that was read.
        unread: files that were handed over since.
        landed: rows, each with the day of its arrival and what became of it.
    """

    shop: LightShop
    through: date | None = None
    unread: list[Drop] = field(default_factory=list)
    landed: list[tuple[Row, date, str]] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)

    def land(self, upto: date) -> None:
        """Files of folders up to a day arrive, on their folder's day or, late, on the first that was not yet read."""
        if self.through is not None and upto <= self.through:
            return
        first = FIRST if self.through is None else self.through + timedelta(1)
        arrived = [(row, max(drop.day, first)) for drop in self.unread if drop.day <= upto for row in drop.rows]
        known = {row["event_id"] for row, _, fate in self.landed if fate == "published"}
        for row, on in sorted(arrived, key=lambda one: one[1]):
            fate = self.fate(row, on)
            if fate == "published" and row["event_id"] in known:
                fate = "deduplicated"
            known |= {row["event_id"]} if fate == "published" else set()
            self.landed.append((row, on, fate))
        self.unread = [drop for drop in self.unread if drop.day > upto]
        self.through = upto

    def fate(self, row: Row, on: date) -> str:
        if row["user_id"] in self.erased:
            return "erased"
        good = row["item_id"] in GOODS and row["amount_cents"] > 0 and FIRST <= row["ts"].date() <= on
        return "published" if good else "quarantined"

    def erase(self, user: str) -> int:
        """Forget a user; gives how many rows went. Of their duplicates and later arrivals only the number is known."""
        self.erased.add(user)
        gone = [one for one in self.landed if one[0]["user_id"] == user and one[2] in ("published", "quarantined")]
        self.landed = [one for one in self.landed if one not in gone]
        return len(gone)

    def lists(self, day: date) -> Lists:
        """What a snapshot of a day must say."""
        return ranked(
            (self.shop.key(row["user_id"]), row["item_id"])
            for row, on, fate in self.landed
            if fate == "published" and on <= day
        )

    def counts(self) -> dict[str, int]:
        fates = Counter(fate for _, _, fate in self.landed)
        return {
            "arrived": fates.total(),
            "published": fates["published"],
            "quarantined": fates["quarantined"] + fates["erased"],
            "deduplicated": fates["deduplicated"],
            "reason/erased": fates["erased"],
        }


class Machine(RuleBasedStateMachine):
    """Files come on time, late or twice; nights run, are killed, repeated, rolled back; users leave; gc goes round."""

    connection: Any
    children: Any
    evening: Path  # a shop's home with nothing but its catalogue
    tally: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.tally["sequences"] += 1
        folder = Path(tempfile.mkdtemp(prefix="shopkeel-machine-"))
        self.shop = LightShop(self.connection, shutil.copytree(self.evening, folder / "home"))
        self.oracle = Oracle(self.shop)
        self.events = 0  # how many were handed over
        self.says: dict[str, Lists] = {}  # by snapshot
        self.ids: dict[tuple[date, str], str] = {}  # by day and content
        self.pinned: str | None = None
        self.reading: tuple[ExitStack, snapshot.Snapshot] | None = None
        self.leads: list[str | None] = [None]  # what CURRENT named since the last rollback
        self.unlogged = False  # a kill came between CURRENT and the log

    def teardown(self) -> None:
        self.close()
        shutil.rmtree(self.shop.home.parent, ignore_errors=True)

    @property
    def today(self) -> date:
        return self.oracle.through or FIRST

    @property
    def left(self) -> set[str]:
        return {path.name for path in (self.shop.root / "snapshots").glob("*")}

    @property
    def logged(self) -> str | None:
        moves = snapshot.log(self.shop.root)
        return moves[-1]["to"] if moves else None

    @property
    def kept(self) -> set[str]:
        """Snapshots that nobody may take away."""
        reading = self.reading[1].id if self.reading else None
        return {one for one in (snapshot.pointer(self.shop.root), self.pinned, reading) if one}

    # What happens.

    @rule(lines=LINES, ahead=st.integers(-3, 2))
    def drop(self, lines: list[tuple[str, str, int, int]], ahead: int) -> None:
        """A file comes: for a day to come, or late."""
        day, rows = max(FIRST, self.today + timedelta(ahead)), []
        for user, item, cents, age in lines:
            at = datetime.combine(day - timedelta(age), time(17), UTC)
            rows.append(
                {"event_id": str(self.events), "user_id": user, "item_id": item, "ts": at, "amount_cents": cents}
            )
            self.events += 1
        self.hand_over(Drop(day, tuple(rows)))

    @precondition(lambda self: self.shop.drops)
    @rule(data=st.data(), ahead=st.integers(-3, 2))
    def drop_again(self, data: st.DataObject, ahead: int) -> None:
        """A file that came before comes once more, for some day."""
        again = data.draw(st.sampled_from(self.shop.drops))
        self.hand_over(Drop(max(FIRST, self.today + timedelta(ahead)), again.rows))

    @rule(ahead=st.integers(0, 2))
    def ingest(self, ahead: int) -> None:
        day = self.today + timedelta(ahead)
        self.do("ingest", day)
        self.oracle.land(day)

    @rule(ahead=st.integers(0, 2))
    def run(self, ahead: int) -> None:
        self.night(self.today + timedelta(ahead))

    @rule(back=st.integers(0, 4))
    def backfill(self, back: int) -> None:
        """An older day, or the last one again."""
        self.night(max(FIRST, self.today - timedelta(back)))

    @precondition(lambda self: snapshot.pointer(self.shop.root))
    @rule(data=st.data())
    def rollback(self, data: st.DataObject) -> None:
        """Back to the parent, or to any snapshot."""
        to = data.draw(st.sampled_from([None, *sorted(self.left)]))
        parent = snapshot.open_snapshot(self.shop.root).manifest.parent
        if to is None and parent not in self.left:
            with pytest.raises(NoData):
                commits.rollback(self.shop.root)
        else:
            assert commits.rollback(self.shop.root, to).snapshot == (to or parent)
            self.settled((to or parent), "rollback")

    @rule(user=st.sampled_from(USERS), at_once=st.booleans())
    def erase(self, user: str, at_once: bool) -> None:
        holding = self.erase_once(self.today, user, snapshot.pointer(self.shop.root))
        if at_once and not holding & self.kept:
            janitor.remove(self.shop.root, holding)
            assert not self.traces(self.shop.key(user))

    @rule()
    def gc(self) -> None:
        now = snapshot.current(self.shop.root)
        kept = {*self.kept, now.manifest.parent} if now else set()
        before = self.left
        self.do("gc")
        newest = sorted({day_of(one) for one in before}, reverse=True)[:KEEP]
        assert before & kept <= self.left <= before and len(self.left) >= min(KEEP, len(before))
        assert len(self.left - kept) <= KEEP and all(day_of(one) in newest for one in self.left - kept)
        assert not [path for path in self.shop.night().root.rglob(".*") if path.name != durable.LOCK]
        for place in ("warehouse/staging", "warehouse/runs", "work"):
            assert not list((self.shop.night().root / place).glob("*")), place
        for user in self.oracle.erased:
            assert self.traces(self.shop.key(user)) <= self.holding(user)
        assert not any(self.traces(user) for user in USERS)

    @precondition(lambda self: snapshot.pointer(self.shop.root))
    @rule()
    def pin(self) -> None:
        """Keep what is current, or let go of what was kept."""
        if self.pinned:
            assert pins.unpin(self.shop.root, "kept") == self.pinned
            self.pinned = None
        else:
            self.pinned = self.do("pin")

    @precondition(lambda self: snapshot.pointer(self.shop.root))
    @rule()
    def read(self) -> None:
        """Someone begins to read, or ends."""
        if self.reading:
            self.close()
        else:
            stack = ExitStack()
            self.reading = stack, stack.enter_context(snapshot.pinned(self.shop.root))

    @rule(
        where=st.sampled_from(PLACES),
        nth=st.sampled_from([1, 1, 2]),
        ahead=st.integers(-1, 2),
        user=st.sampled_from(USERS),
    )
    def kill(self, where: tuple[str, str], nth: int, ahead: int, user: str) -> None:
        """A process dies on its way, or comes through; what it left is found out. An erasure is begun again."""
        action, place = where
        now, logged = snapshot.current(self.shop.root), self.logged
        if (action == "pin" and now is None) or (
            action == "rollback" and not (now and now.manifest.parent in self.left)
        ):
            return
        day, before = max(FIRST, self.today + timedelta(ahead)), now.id if now else None
        arguments = (self.shop.home, self.shop.drops, action, day, user, f"{place}#{nth}")
        code = end(begin(self.children.Process(target=doomed, args=arguments)))
        assert code in (0, -signal.SIGKILL), f"{action}: ended with {code}"
        if code:
            self.tally.update(["killed", f"at {action} {place}"])
        if action in ("ingest", "run"):
            landed = partitions.ledger(self.shop.night().feeds, "events").through
            assert landed in (self.oracle.through, day)
            if landed:
                self.oracle.land(landed)
        if action == "run":
            for one in self.left - self.says.keys():
                self.learn(one, self.oracle.lists(day))
            self.leads.append(snapshot.pointer(self.shop.root))
            assert self.leads[-1] == before or day_of(str(self.leads[-1])) == day
        if action == "rollback":
            self.leads = [snapshot.pointer(self.shop.root)]
            assert now and self.leads[0] in (before, now.manifest.parent)
        if action == "erase":
            self.erase_once(day, user, before)
        if action == "pin":
            self.pinned = pins.pins(self.shop.root).get("kept")
        assert self.logged in (logged, before, snapshot.pointer(self.shop.root))
        self.unlogged = self.logged != snapshot.pointer(self.shop.root)

    # What must hold.

    @invariant()
    def readers_see_whole_snapshots(self) -> None:
        self.tally["steps"] += 1
        now = snapshot.current(self.shop.root)
        assert (now is None) == (not self.leads[-1])
        assert self.kept <= self.left <= self.says.keys()
        for one in self.left:
            opened = snapshot.open_snapshot(self.shop.root, one)
            assert snapshot.verify(opened) == []

    @invariant()
    def the_log_leads_to_current(self) -> None:
        moves = snapshot.log(self.shop.root)
        assert [move["sequence"] for move in moves] == list(range(1, len(moves) + 1))
        assert self.logged == snapshot.pointer(self.shop.root) or self.unlogged

    @invariant()
    def current_never_moves_back(self) -> None:
        days = [day_of(one) for one in self.leads if one]
        assert all(one <= other for one, other in pairwise(days))

    @invariant()
    def every_row_is_accounted_for(self) -> None:
        if self.oracle.through:
            total = partitions.counts(self.shop.night().feeds, "events", self.oracle.through)
            expected = self.oracle.counts()
            assert {name: total[name] for name in expected} == expected
            assert total["arrived"] == total["published"] + total["quarantined"] + total["deduplicated"]

    # How it is found out.

    def do(self, action: str, day: date = FIRST, user: str = "") -> Any:
        return act(self.shop, action, day, user)

    def hand_over(self, drop: Drop) -> None:
        self.shop.drops.append(drop)
        self.oracle.unread.append(drop)

    def night(self, day: date) -> None:
        """A night says what the oracle says; readers get it unless they have a later one."""
        now = snapshot.pointer(self.shop.root)
        manifest = self.do("run", day)
        self.oracle.land(day)
        self.learn(manifest.snapshot, self.oracle.lists(day))
        self.settled(manifest.snapshot if now is None or day >= day_of(now) else now)

    def learn(self, one: str, lists: Lists) -> None:
        """A snapshot says what it must; the same content has the same id."""
        opened = snapshot.open_snapshot(self.shop.root, one)
        assert published_lists(opened.table("recommendations")) == lists
        assert opened.table("cart_recommendations").to_pylist() == baskets(lists).to_pylist()
        assert self.ids.setdefault((opened.manifest.day, json.dumps(lists)), one) == one
        self.says[one] = lists

    def erase_once(self, day: date, user: str, before: str | None) -> set[str]:
        """After an erasure readers see what they saw before, but for the user; gives the snapshots that hold them."""
        done = self.do("erase", day, user)
        assert self.oracle.erase(user) <= sum(done.rows.values()) or self.tally["killed"]
        if before in self.holding(user):
            key = self.shop.key(user)
            self.learn(str(done.snapshot), {who: items for who, items in self.says[str(before)].items() if who != key})
            self.settled(done.snapshot)
        assert snapshot.pointer(self.shop.root) == done.snapshot
        assert set(done.holding) == self.holding(user) - {done.snapshot}
        return set(done.holding)

    def settled(self, expected: str | None, how: str = "commit") -> None:
        """CURRENT names what it must, and so does the log."""
        assert snapshot.pointer(self.shop.root) == expected
        self.unlogged = False
        self.leads = [*(self.leads if how == "commit" else []), expected]

    def holding(self, user: str) -> set[str]:
        """Snapshots that say something of a user."""
        return {one for one in self.left if self.shop.key(user) in self.says.get(one, {})}

    def traces(self, word: str) -> set[str]:
        """Folders of files that hold a word, in raw bytes or decoded values; but for the list of the erased."""
        found = set()
        for path in self.shop.home.rglob("*"):
            if path.is_file() and path.name != tombstones.FILE:
                values = pq.read_table(path, partitioning=None).to_pylist() if path.suffix == ".parquet" else ""
                found |= {path.parent.name} if word.encode() in path.read_bytes() or word in str(values) else set()
        return found

    def close(self) -> None:
        if self.reading:
            self.reading[0].close()
            self.reading = None


@pytest.mark.slow
def test_the_property_machine(matrix: Matrix, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(KEY, SECRET)
    monkeypatch.setattr(os, "sync", os.sync)
    monkeypatch.setattr(os, "fsync", os.fsync)
    hurry()
    tally, connection = Counter[str](), engine.connect(1)
    LightShop(connection, tmp_path / "evening").open(GOODS)
    tools = {"connection": connection, "children": helper(), "evening": tmp_path / "evening", "tally": tally}
    examples = counts(8, 500)
    options = settings(max_examples=examples, stateful_step_count=12, deadline=None, derandomize=True, database=None)
    failed = 1
    try:
        run_state_machine_as_test(type("Machine", (Machine,), tools), settings=options)
        failed = 0
    finally:
        places = sum(name.startswith("at ") for name in tally)
        note = f"{tally['steps']:,} steps, {tally['killed']:,} killed at {places} of {len(PLACES)} places"
        matrix.row(
            "property machine", tally["sequences"], tally["sequences"] - failed, note,
            steps=tally["steps"], killed=tally["killed"], places=places,
        )  # fmt: skip
    assert tally["sequences"] >= examples and tally["killed"] > 0
