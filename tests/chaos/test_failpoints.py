"""A whole night killed at every named step: the old or the new snapshot is whole, and a rerun makes up for it."""

import signal

import pytest

from pipeline import nightly
from pipeline.version import code_version
from tests.chaos.conftest import counts

pytestmark = pytest.mark.slow


def spread(names, many):
    """So many of the names, evenly spread; which ones changes with the code."""
    start = int(code_version()[-8:], 16)
    return [names[(start + number * len(names) // many) % len(names)] for number in range(many)]


def test_a_night_killed_at_any_step_loses_nothing(corner, matrix):
    def attempt(lane, name):
        ended = lane.run(failpoint=name)
        assert ended.code == -signal.SIGKILL, f"not reached; the night ends with {ended.code}: {ended.words[-300:]}"
        corner.survived(lane)

    names = nightly.failpoints()
    tried = spread(names, counts(2, len(names)))
    problems = corner.each(tried, attempt)
    note = f"of {len(names)} failpoints; rerun to the byte, 0 leaks"
    matrix.row("kill at every step boundary", len(tried), len(tried) - len(problems), note, failpoints=len(names))
    assert not problems, "\n".join(problems)
    assert len(names) >= 40
