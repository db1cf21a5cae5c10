"""Who was enrolled on a campaign's first night stays so, as long as it may tell something and they agree."""

from datetime import date

import numpy as np
import pyarrow as pa

from pipeline.contracts.tables import AD_EXPERIMENTS
from pipeline.tables.experiments import Enrolment, rows

DAY, LATER = date(2017, 3, 1), date(2017, 3, 2)
KEYS = pa.array([f"{n:032x}" for n in range(6)])
NONE = AD_EXPERIMENTS.schema.empty_table()


def enrol(last=NONE, keep=(), consenting=KEYS, new=(), day=DAY):
    return AD_EXPERIMENTS.enforce(rows(last, keep, consenting, new, holdout_share=0.1, day=day))


def test_the_first_night_is_kept_and_others_come_beside_it():
    first = enrol(new=[Enrolment("a", KEYS, np.arange(6) < 2)])
    assert first.column("is_holdout").to_pylist() == [True, True, False, False, False, False]
    assert set(first.column("contact_propensity").to_pylist()) == {0.9}
    both = enrol(first, ["a"], new=[Enrolment("b", KEYS.slice(0, 3), np.zeros(3, bool))], day=LATER)
    assert both.slice(0, 6).equals(first)
    assert set(both.slice(6).column("enrolled_on").to_pylist()) == {LATER}


def test_who_agrees_no_more_and_campaigns_long_over_are_forgotten():
    first = enrol(new=[Enrolment(name, KEYS, np.zeros(6, bool)) for name in ("a", "b")])
    later = enrol(first, ["b"], consenting=KEYS.slice(1))
    assert set(later.column("campaign_id").to_pylist()) == {"b"}
    assert later.column("user_key").to_pylist() == KEYS.slice(1).to_pylist()
    assert len(enrol(first)) == 0
