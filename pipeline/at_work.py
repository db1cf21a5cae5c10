"""What is made of one thing after another, some of them at work at once; their order stays."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Made = TypeVar("Made")


def each(work: Callable[[T], Made], things: Iterable[T], threads: int) -> Iterator[Made]:
    """What is made of things, in their order.

    Args:
        work: done by any of the threads.
        things: taken by the caller's own thread, few before what is made of them.
        threads: at work at once.
    """
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for thing in things:
            waiting.append(pool.submit(work, thing))
            if len(waiting) > threads:  # what nobody has taken yet is not to pile up
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def after_one(work: Callable[[T], Made], things: Iterable[T], threads: int) -> Iterator[Made]:
    """The same, of which the first is made before any other: what all of them read is opened once."""
    coming = iter(things)
    for first in coming:
        yield work(first)
        break
    yield from each(work, coming, threads)
