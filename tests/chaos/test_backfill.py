"""A backfill beside the nightly, each held at some step while the other goes on: CURRENT never moves back."""

import random
import shutil
from itertools import pairwise, product
from multiprocessing.connection import wait
from threading import Event, Thread

from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.manifest import day_of
from pipeline.warehouse.snapshot import log, pointer
from tests.chaos.conftest import counts
from tests.chaos.corner import readable
from tests.chaos.processes import begin, end, helper
from tests.warehouse.conftest import House

NIGHTLY, BACKFILL, PATIENCE = 6, 3, 0.2  # days; seconds after which a run is taken to wait for the other
STEPS = (Step.TABLE, Step.FACTS, Step.MODELS, Step.MANIFEST, Step.SNAPSHOT, Step.POINTER, Step.LOG)
PLACES = [f"{when}-{step}" for step in STEPS for when in ("before", "after")]


def publish(house, day, seen, parent):
    staging = house.stage(day, float(day))
    staging.note_models({"ranker": "v1"})
    house.commit(staging, seen=seen, parent=parent)


def _held(house, run, place, here, go):
    """A run that waits at a place, the first time it gets there, until told to go on."""

    def reached(name):
        if name == place and not here.is_set():
            here.set()
            go.wait(30)

    durable.reached = reached
    publish(house, *run)


def two_days(root):
    """A house with days 1 and 5, and the two runs: (day, CURRENT as it starts, snapshot it follows)."""
    house = House(root)
    first, fifth = house.publish(1), house.publish(5)
    return house, [(NIGHTLY, fifth, fifth), (BACKFILL, fifth, first)]


def interleave(context, house, runs, places, order):
    """Both runs at once, held at their places and let go in an order; every id that CURRENT named."""
    named, over, held = [pointer(house.root)], Event(), []

    def watch():
        while not over.is_set():
            if (now := pointer(house.root)) != named[-1]:
                named.append(now)

    watcher = Thread(target=watch)
    watcher.start()
    for run, place in zip(runs, places, strict=True):
        here, go = context.Event(), context.Event()
        process = begin(context.Process(target=_held, args=(house, run, place, here, go)))
        held.append((process, go))
        while not (here.wait(PATIENCE) or wait([process.sentinel], 0)) and len(held) == 1:
            pass  # the first one waits for nobody
    for number in order:
        process, go = held[number]
        go.set()
        wait([process.sentinel], PATIENCE)
    codes = [end(process) for process, _ in held]
    over.set()
    watcher.join()
    assert codes == [0, 0], f"ended {codes}"
    return named


def test_current_never_moves_back_and_each_date_equals_its_serial_run(tmp_path, matrix):
    context, problems = helper(), []
    serial, runs = two_days(tmp_path / "serial")
    for run in runs:
        publish(serial, *run)
    whole = list(product(PLACES, PLACES, ((0, 1), (1, 0))))
    tried = random.Random(6).sample(whole, counts(5, 100))
    for nightly, backfill, order in tried:
        house, runs = two_days(tmp_path / "warehouse")
        try:
            days = [day_of(one) for one in interleave(context, house, runs, (nightly, backfill), order)]
            assert all(earlier <= later for earlier, later in pairwise(days)), f"CURRENT named {days}"
            assert readable(house.root).manifest.day == house.day(NIGHTLY)
            assert house.files() == serial.files(), "a date differs from its serial run"
            assert [move["kind"] for move in log(house.root)].count("backfill") == 1
        except AssertionError as error:
            problems.append(f"nightly held {nightly}, backfill {backfill}, order {order}: {error}")
        shutil.rmtree(house.root)
    note = f"of {len(whole)} pairs of held steps and orders"
    matrix.row("backfill beside nightly", len(tried), len(tried) - len(problems), note)
    assert not problems, "\n".join(problems)
