"""A night that cannot write: refused like on a full disk, at every twentieth of its largest file."""

import pytest

from tests.chaos.conftest import counts
from tests.chaos.corner import readable

pytestmark = pytest.mark.slow
PARTS = 20


def test_a_night_on_a_full_disk_says_so_and_leaves_the_last_one(corner, matrix):
    def attempt(lane, part):
        ended = lane.run(limit=part * corner.largest // PARTS - 1)
        errors = [line for line in ended.words.splitlines() if line.startswith("error: ")]
        assert ended.code > 0, f"ends with {ended.code}: {ended.words[-300:]}"
        assert len(errors) == 1 and "Traceback" not in ended.words, f"no clear error: {ended.words[-300:]}"
        assert readable(lane.warehouse).id == corner.before
        corner.survived(lane)

    tried = range(PARTS, 0, -PARTS // counts(1, PARTS))
    problems = corner.each(tried, attempt)
    note = f"no file past each {100 // PARTS} % of {corner.largest:,} bytes; one-line error, last snapshot whole"
    matrix.row("disk full", len(tried), len(tried) - len(problems), note, largest=corner.largest)
    assert not problems, "\n".join(problems)
