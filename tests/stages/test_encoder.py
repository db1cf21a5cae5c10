"""Which encoder serves; the stage as a whole runs in `test_night.py`."""

from datetime import date

import numpy as np
import pytest

from pipeline.errors import Refused
from pipeline.settings import Night, load_shop
from pipeline.stages import encoder

NEW, OLD, RAW = "c" * 12, "0" * 12, "f" * 12


@pytest.fixture
def night(tmp_path):
    return Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)


def hits(rate, n=1000):
    """Pairs of which the first are found."""
    return (np.arange(n) < rate * n).astype(float)


@pytest.mark.parametrize(
    ("challenger", "champion", "verdict", "serves"),
    [
        (0.50, None, "promoted", NEW),
        (0.40, None, "baseline", RAW),
        (0.30, None, "baseline", RAW),
        (0.50, 0.45, "promoted", NEW),
        (0.45, 0.45, "kept", OLD),
        (0.41, 0.45, "kept", OLD),  # better than pretrained, but the champion is better still
    ],
)
def test_the_encoder_changes_only_for_a_sure_gain(night, challenger, champion, verdict, serves):
    found = {"frozen": hits(0.40), "challenger": hits(challenger)}
    if champion:
        found["champion"] = hits(champion)
    judgement = encoder._judge(night, NEW, OLD if champion else None, RAW, found)
    assert (judgement.verdict, judgement.serves) == (verdict, serves)
    assert ("champion" if champion else "pretrained") in judgement.why


def test_a_gain_that_may_be_chance_is_none(night):
    """Twenty pairs gained and fourteen lost: more than asked on the mean, but the interval holds zero."""
    base = hits(0.40)
    lucky = base.copy()
    lucky[380:394], lucky[500:520] = 0, 1
    judgement = encoder._judge(night, NEW, None, RAW, {"frozen": base, "challenger": lucky})
    assert judgement.verdict == "baseline"
    assert "not surely" in judgement.why


def test_without_thresholds_no_encoder_is_judged_good(night):
    unjudged = Night(night.shop.model_copy(update={"thresholds": None}), night.day, night.home)
    with pytest.raises(Refused, match="no thresholds"):
        encoder._judge(unjudged, NEW, None, RAW, {"frozen": hits(0.4), "challenger": hits(0.5)})
