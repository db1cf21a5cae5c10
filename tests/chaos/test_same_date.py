"""Several processes at once on one date: one commit; the others are told, or find their very content published."""

import random
import shutil
import sys

import pytest

from pipeline.errors import Superseded
from pipeline.warehouse.janitor import sweep
from pipeline.warehouse.snapshot import log, pointer
from tests.chaos.conftest import counts, is_full
from tests.chaos.corner import readable
from tests.chaos.processes import begin, end, helper
from tests.warehouse.conftest import House


def _publish(house, day, price, run, seen, together):
    staging = house.stage(day, price, run)
    together.wait(60)
    try:
        house.commit(staging, seen=seen, parent=seen)
    except Superseded as error:
        sys.exit(error.exit_code)


def round_of(context, house, prices):
    """Processes that publish day 2 at these prices, let go at once; checks what they leave, gives their exit codes."""
    seen, together = house.publish(1), context.Barrier(len(prices))
    nights = [(house, 2, price, f"run{number}", seen, together) for number, price in enumerate(prices)]
    codes = [end(one) for one in [begin(context.Process(target=_publish, args=night)) for night in nights]]
    assert [move["to"] for move in log(house.root)] == [seen, pointer(house.root)]
    winner = int(readable(house.root).manifest.run.removeprefix("run"))
    expected = [0 if price == prices[winner] else Superseded.exit_code for price in prices]
    assert codes == expected, f"prices {prices}, winner {winner}, ended {codes}"
    sweep(house.root, keep=2)
    hidden = [path.name for path in house.root.rglob(".*") if path.name != ".lock"]
    assert list((house.root / "staging").iterdir()) == hidden == []
    return codes


def test_of_processes_on_one_date_one_commits(tmp_path, matrix):
    context, dice, problems, lost = helper(), random.Random(4), [], 0
    rounds = counts(5, 100)
    for number in range(rounds):
        house = House(tmp_path / "warehouse")
        prices = [float(dice.randint(1, 4)) for _ in range(dice.randint(2, 8))]
        try:
            lost += sum(code != 0 for code in round_of(context, house, prices))
        except AssertionError as error:
            problems.append(f"round {number}: {error}")
        shutil.rmtree(house.root)
    note = f"2 to 8 processes; one commit each, {lost} losers said superseded"
    matrix.row("same date at once", rounds, rounds - len(problems), note, superseded=lost)
    assert not problems, "\n".join(problems)
    assert lost > rounds / 2


@pytest.mark.slow
@pytest.mark.skipif(not is_full(), reason="three whole nights at once are tried by `make chaos`")
def test_of_whole_nights_on_one_date_one_commits(corner, matrix):
    def attempt(lane, runs):
        begun = [lane.start(run=run, log=f"{number}") for number, run in enumerate(runs)]
        ends = [lane.ended(process, f"{number}") for number, process in enumerate(begun)]
        odd = [f"{one.code}: {one.words[-300:]}" for one in ends if one.code not in (0, Superseded.exit_code)]
        assert not odd, odd
        assert any(one.code == 0 for one in ends)
        corner.survived(lane)

    tried = [("night", "night", "night"), ("night", "second", "third")]
    problems = corner.each(tried, attempt)
    matrix.row(
        "same date at once, whole nights", len(tried), len(tried) - len(problems), "3 at once, same run and three"
    )
    assert not problems, "\n".join(problems)
