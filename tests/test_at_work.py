"""Several things at work at once: in their order, few at a time, and what fails is told."""

import threading
import time
from collections.abc import Iterator

import pytest

from pipeline import at_work


def test_what_is_made_comes_in_the_order_of_the_things_and_some_are_at_work_at_once():
    meet = threading.Barrier(2, timeout=20)

    def work(number: int) -> int:
        meet.wait()  # passes only if another thing is at work
        time.sleep(0.01 * (number % 2 == 0))
        return number * number

    assert list(at_work.each(work, range(8), 2)) == [number * number for number in range(8)]


def test_things_are_not_taken_long_before_they_are_wanted():
    taken = []

    def things() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    made = at_work.each(lambda number: number, things(), 2)
    assert next(made) == 0
    assert len(taken) == 3
    assert list(made) == list(range(1, 20))


def test_what_fails_is_told_in_its_turn():
    made = at_work.each(lambda number: 1 // (2 - number), range(5), 2)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_of_nothing_comes_nothing():
    assert list(at_work.each(len, [], 2)) == []


def test_the_first_one_is_made_before_any_other():
    done: list[int] = []

    def work(number: int) -> int:
        assert number == 0 or done
        time.sleep(0.01 * (number == 0))
        done.append(number)
        return number

    assert list(at_work.after_one(work, range(6), 3)) == list(range(6))
    assert done[0] == 0 and list(at_work.after_one(work, [], 3)) == []
