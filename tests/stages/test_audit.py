"""The audit fails closed; whole audits, passed and refused, run in `test_night.py`."""

from datetime import date

import pytest

from pipeline.errors import DataError
from pipeline.record import JsonRecorder
from pipeline.settings import Night, load_shop
from pipeline.stages import audit, desk


def test_an_audit_that_does_not_end_withdraws_the_verdict_before_it(tmp_path):
    night = Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)
    desk.note(night, "verdict", {"passed": True})
    with pytest.raises(DataError, match="scored-recommendations"):
        audit.run(night, None, JsonRecorder(tmp_path / "r"), lambda *_: None)
    assert desk.noted(night, "verdict") == {"passed": False}
