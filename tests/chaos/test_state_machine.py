"""Whatever happens to a shop, in whatever order, its snapshots say what an oracle says; nothing is lost or leaks."""

import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pipeline import engine
from pipeline.erasure import erase
from pipeline.errors import NoData
from pipeline.feeds import partitions
from pipeline.privacy.keys import VARIABLE
from pipeline.warehouse import commit as commits
from pipeline.warehouse import janitor, pins, snapshot
from pipeline.warehouse.failpoints import Step
from tests.chaos.conftest import Matrix, counts
from tests.feeds.conftest import FIRST
from tests.light import SECRET, LightShop, killed_at, published_lists

GOODS = ("soap", "milk", "tea")
USERS = ("ann", "bob", "cid")
STEPS = [f"{when}-{step}" for step in Step for when in ("before", "after")]
LINES = st.lists(
    st.tuples(st.sampled_from(USERS), st.sampled_from([*GOODS, "never"]), st.sampled_from([0, 100]), st.integers(0, 2)),
    max_size=4,
)
RAN = {"sequences": 0, "steps": 0, "killed": 0}


class Shop(RuleBasedStateMachine):
    """Days pass, events come on time, late or twice; nights run, die, are repeated, rolled back; users leave."""

    def __init__(self) -> None:
        super().__init__()
        RAN["sequences"] += 1
        self.home = Path(tempfile.mkdtemp(prefix="shopkeel-machine-"))
        self.shop = LightShop(CONNECTION[0], self.home)
        self.shop.open(GOODS)
        self.today, self.number = FIRST, 0
        self.published: dict[date, str] = {}
        self.pinned: str | None = None
        self.arrive([("ann", "soap", 100, 0)])

    def teardown(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)

    @rule(lines=LINES)
    def arrive(self, lines: list[tuple[str, str, int, int]]) -> None:
        """Another day: its events and late ones of days before."""
        self.today += timedelta(1)
        for user, item, cents, late in lines:
            on = max(FIRST, self.today - timedelta(late))
            at = datetime(on.year, on.month, on.day, 17, tzinfo=UTC)
            row = {"event_id": f"e{self.number}", "user_id": user, "item_id": item, "ts": at, "amount_cents": cents}
            self.shop.told.append(row | {"ds": self.today, "basket_id": f"b{self.number}"})
            self.number += 1

    @rule(data=st.data())
    def arrive_again(self, data: st.DataObject) -> None:
        """Events that came before come once more, on another day."""
        self.today += timedelta(1)
        again = data.draw(st.lists(st.sampled_from(self.shop.told), max_size=3))
        self.shop.told += [row | {"ds": self.today} for row in again]

    @rule()
    def ingest(self) -> None:
        self.shop.land(self.today)

    @rule()
    def run(self) -> None:
        self.publish(self.today)

    @rule(step=st.sampled_from(STEPS), nth=st.integers(1, 3))
    def kill(self, step: str, nth: int) -> None:
        """A night dies somewhere, or comes through; then it is run again."""
        before, seen = snapshot.pointer(self.shop.root), self.lists_now()
        with killed_at(step, nth):
            self.shop.run(self.today)
            RAN["killed"] -= 1
        RAN["killed"] += 1
        assert snapshot.pointer(self.shop.root) != before or self.lists_now() == seen
        self.publish(self.today)

    @rule(back=st.integers(1, 3))
    def backfill(self, back: int) -> None:
        """An older day is published; readers notice only if there was nothing or nothing later."""
        now, day = snapshot.current(self.shop.root), max(FIRST, self.today - timedelta(back))
        if now is None or now.manifest.day > day:
            self.publish(day)
            if now is not None:
                assert snapshot.pointer(self.shop.root) == now.id

    @precondition(lambda self: snapshot.pointer(self.shop.root))
    @rule()
    def rollback(self) -> None:
        try:
            commits.rollback(self.shop.root)
        except NoData:
            assert snapshot.open_snapshot(self.shop.root).manifest.parent is None or self.parent_is_gone()

    @rule(user=st.sampled_from(USERS), at_once=st.booleans())
    def erase(self, user: str, at_once: bool) -> None:
        done = erase(self.shop.night(self.today), [user])
        self.shop.erased.add(user)
        if at_once:
            janitor.remove(self.shop.root, set(done.holding) - {self.pinned})
        key = self.shop.key(user)
        assert key not in (self.lists_now() or {})
        for feed_day in partitions.days(self.shop.night(FIRST).feeds, "events", self.today):
            assert key not in partitions.read_rows(feed_day).column("user_key").to_pylist()

    @precondition(lambda self: snapshot.pointer(self.shop.root))
    @rule()
    def pin(self) -> None:
        self.pinned = pins.pin(self.shop.root, "kept")

    @rule(keep=st.integers(1, 3))
    def gc(self, keep: int) -> None:
        night, now = self.shop.night(self.today), snapshot.pointer(self.shop.root)
        janitor.tidy(night, keep=keep, grace_hours=0)
        janitor.sweep(night.warehouse, keep, grace_hours=0)
        left = {path.name for path in (night.warehouse / "snapshots").glob("*")}
        assert {one for one in (now, self.pinned) if one} <= left
        assert not [path for path in night.root.rglob(".*") if path.name != ".lock"]
        assert not list((night.warehouse / "staging").glob("*")) and not list(night.work.parent.glob("*"))

    @invariant()
    def readers_see_a_whole_snapshot_that_the_log_leads_to(self) -> None:
        RAN["steps"] += 1
        now, moves = snapshot.pointer(self.shop.root), snapshot.log(self.shop.root)
        assert (moves[-1]["to"] if moves else None) == now
        for manifest in snapshot.history(self.shop.root):
            assert not snapshot.verify(snapshot.open_snapshot(self.shop.root, manifest.snapshot))

    @invariant()
    def every_row_is_accounted_for(self) -> None:
        total = partitions.counts(self.shop.night(FIRST).feeds, "events", self.today)
        assert total["arrived"] == total["published"] + total["quarantined"] + total["deduplicated"]

    def publish(self, day: date) -> None:
        """Run a night; it says what the oracle says, and again it says the same."""
        manifest = self.shop.run(day)
        found = published_lists(snapshot.open_snapshot(self.shop.root, manifest.snapshot).table("recommendations"))
        assert found == self.shop.expected_lists(day, GOODS)
        moves = len(snapshot.log(self.shop.root))
        assert self.shop.run(day).snapshot == manifest.snapshot
        assert len(snapshot.log(self.shop.root)) == moves

    def lists_now(self) -> dict[str, list[str]] | None:
        now = snapshot.current(self.shop.root)
        return published_lists(now.table("recommendations")) if now else None

    def parent_is_gone(self) -> bool:
        parent = snapshot.open_snapshot(self.shop.root).manifest.parent
        return not (self.shop.root / "snapshots" / str(parent)).exists()


CONNECTION: list[Any] = []


@pytest.mark.slow
def test_the_property_machine(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    CONNECTION[:] = [engine.connect(1)]
    examples = counts(6, 500)
    options = settings(max_examples=examples, stateful_step_count=8, deadline=None, derandomize=True, database=None)
    try:
        run_state_machine_as_test(Shop, settings=options)
        held = RAN["sequences"]
    except BaseException:
        held = RAN["sequences"] - 1
        raise
    finally:
        note = f"{RAN['steps']:,} steps, {RAN['killed']:,} nights killed"
        matrix.row("property machine", RAN["sequences"], held, note, steps=RAN["steps"], killed=RAN["killed"])
    assert RAN["sequences"] >= examples and RAN["killed"] > 0
