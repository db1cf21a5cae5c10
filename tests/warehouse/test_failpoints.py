"""A night killed at every step: the old or the new snapshot is whole, and a rerun ends as if nothing had happened."""

import ast
import os
import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import pipeline.warehouse
from pipeline.warehouse.failpoints import NAMES, Step
from pipeline.warehouse.janitor import sweep
from pipeline.warehouse.pins import pin
from pipeline.warehouse.snapshot import current, log, pointer, verify
from tests.warehouse.conftest import steps

PACKAGE = Path(pipeline.warehouse.__file__).parents[1]
ELSEWHERE = ("failpoints", "bucket")  # the bucket's steps are those of tests/chaos/test_object_store.py
STEPS = steps(*(path for path in (PACKAGE / "warehouse").glob("*.py") if path.stem not in ELSEWHERE))


def night(house, failpoint: str = "") -> int:
    """Day 3 in a process of its own; gives how it ended."""
    process = house.process(3, 7.0, "night", failpoint=failpoint)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode


def two_days(house):
    return house.publish(1), house.publish(2)


def undisturbed(house) -> dict[str, bytes]:
    """The published files after the same three nights beside, in this process and without a kill."""
    beside = replace(house, root=house.root.with_name("undisturbed"))
    two_days(beside)
    beside.commit(beside.stage(3, 7.0))
    pin(beside.root, "last")
    sweep(beside.root, keep=1)
    return beside.files()


@pytest.mark.parametrize("name", [f"{when}-{step}" for step in STEPS for when in ("before", "after")])
def test_a_kill_leaves_old_or_new_and_a_rerun_is_byte_identical(house, name):
    _, old = two_days(house)
    assert night(house, name) == -signal.SIGKILL, f"no step reached {name}"
    readable = current(house.root)
    assert readable.id == old or readable.manifest.day == house.day(3)
    assert verify(readable) == []
    assert night(house) == 0
    assert house.files() == undisturbed(house)
    assert list((house.root / "staging").iterdir()) == []
    moves = log(house.root)
    assert [move["sequence"] for move in moves] == list(range(1, len(moves) + 1))
    assert moves[-1]["to"] == pointer(house.root)
    assert all(later["from"] == earlier["to"] for earlier, later in pairwise(moves))
    hidden = [path for path in house.root.rglob("*") if path.name.startswith(".") and path.name != ".lock"]
    assert hidden == []


def test_it_may_be_the_third_time_and_it_may_only_freeze(house):
    process = house.process(3, 7.0, "night", failpoint="before-facts#2!stop")
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert [path.name for path in house.root.glob("staging/*/facts/*.json")] == ["prices.json"]
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=60)[0].strip() == "committed"


def test_every_step_has_its_places():
    assert {f"{when}-{step}" for step in Step for when in ("before", "after")} == set(NAMES)
    whole = ast.unparse(ast.parse("".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))))
    assert [step for step in Step if f"Step.{step.name}" not in whole] == []
