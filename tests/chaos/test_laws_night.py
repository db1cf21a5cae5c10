"""Laws of a whole night: running it again changes nothing, and a longer list begins with the shorter one."""

from dataclasses import replace
from itertools import groupby

import pytest

from pipeline.warehouse.snapshot import log
from tests.chaos.corner import EVENING, published, readable, shop

pytestmark = pytest.mark.slow


def lists(lane):
    """Item ids in the order of their ranks, by table and by whose list it is."""
    opened, found = readable(lane.warehouse), {}
    for table, names in {
        "recommendations": ("user_key", "surface", "rank", "item_id"),
        "cart_recommendations": ("context", "context_id", "rank", "item_id"),
    }.items():
        rows = sorted(zip(*(opened.table(table)[name].to_pylist() for name in names), strict=True))
        found |= {(table, *whose): [row[3] for row in part] for whose, part in groupby(rows, lambda row: row[:2])}
    return found


def test_a_night_run_twice_is_the_night_run_once(corner, matrix):
    lane = corner.lanes[0]
    lane.restore()
    ends = [lane.run(last="publish") for _ in range(2)]
    assert [end.code for end in ends] == [0, 0], ends[-1].words
    same = published(lane.warehouse) == corner.files and len(log(lane.warehouse)) == 2
    matrix.row("law: f(f(x)) = f(x), a whole night", 1, int(same), "same bytes, CURRENT moves once")
    assert same


def test_a_longer_list_begins_with_the_shorter(corner, matrix, tmp_path):
    lane = corner.lanes[0]
    lane.restore()
    short = lists(lane)
    longer = replace(lane, folder=tmp_path, settings=shop(tmp_path, corner.checkpoint, longer=1))
    ended = longer.run(day=EVENING, last="publish")
    assert ended.code == 0, ended.words
    whole = lists(longer)
    grown = sum(len(whole[whose]) == len(items) + 1 for whose, items in short.items())
    kept = sum(whole[whose][: len(items)] == items for whose, items in short.items())
    matrix.row("law: top-k begins top-(k+1)", len(short), kept, f"every published list; {grown} have a further item")
    assert whole.keys() == short.keys()
    assert kept == len(short)
    assert grown > len(short) / 2
