"""The recount of audiences: it finds whatever was changed between scoring and publication."""

import pyarrow as pa
import pytest

from pipeline.audit.audiences import breaches
from pipeline.privacy.floors import is_holdout

K, SHARE, SALT = 10, 0.2, "corner"
KEYS = [f"{n:032x}" for n in range(60)]
CAMPAIGNS = {"17": KEYS[:40], "18": KEYS[20:60]}


def drawn(name, keys):
    return is_holdout(pa.array(keys), name, SHARE, SALT).to_pylist()


def rows(campaigns):
    return [
        {"campaign_id": name, "user_key": key, "is_holdout": held, "is_planned": not held}
        for name, keys in campaigns.items()
        for key, held in zip(keys, drawn(name, keys), strict=True)
    ]


def summary(staged):
    names = {row["campaign_id"] for row in staged} | {"26"}
    return [
        {"campaign_id": name, "is_published": name != "26", "budget_cents": None, "spent_cents": 100.0,
         "cost_per_contact_cents": 10.0,
         "size": sum(row["campaign_id"] == name and not row["is_holdout"] for row in staged),
         "planned": sum(row["campaign_id"] == name and row["is_planned"] for row in staged)}
        for name in sorted(names)
    ]  # fmt: skip


def audit(staged, told=None, last=None, consenting=KEYS, min_size=K, room=None):
    tables = [pa.Table.from_pylist(part) for part in (staged, summary(staged) if told is None else told)]
    return breaches(
        *tables, None if last is None else pa.Table.from_pylist(last), consenting,
        min_size=min_size, holdout_share=SHARE, salt=SALT, room=room,
    )  # fmt: skip


@pytest.fixture
def good():
    return rows(CAMPAIGNS)


def without(staged, place):
    return staged[:place] + staged[place + 1 :]


def test_what_holds_is_passed(good):
    assert audit(good) == audit(good, last=good) == []
    assert audit(good, last=[row for row in good if row["campaign_id"] == "17"]) == []


def test_every_single_row_taken_out_is_found(good):
    told = summary(good)
    for place, row in enumerate(good):
        found = audit(without(good, place), told)
        # Whom nobody would contact counts in no size.
        assert row["is_holdout"] or any(f"audience {row['campaign_id']}:" in one for one in found)


def test_a_single_row_taken_out_is_found_by_last_night_even_when_the_summary_agrees(good):
    place = next(at for at, row in enumerate(good) if not row["is_holdout"])
    changed = without(good, place)
    assert any("1 users are in one of them alone" in one for one in audit(changed, last=good))


def test_every_flag_turned_is_found(good):
    for place, row in enumerate(good):
        turned = [*good]
        turned[place] = row | {"is_holdout": not row["is_holdout"], "is_planned": row["is_holdout"]}
        assert f"audience {row['campaign_id']}: its hold-out is not the one that was drawn" in audit(turned)


def test_every_user_without_consent_is_found(good):
    for key in KEYS:
        found = audit(good, consenting=set(KEYS) - {key})
        assert [one for one in found if "1 users did not agree" in one]


def test_rows_of_a_withheld_audience_are_found(good):
    told = [row | {"is_published": row["is_published"] and row["campaign_id"] != "17"} for row in summary(good)]
    assert "audience 17: withheld, and yet 40 users stand in ad_audiences" in audit(good, told)


def test_an_audience_nobody_sums_up_is_found(good):
    assert audit(good, [row for row in summary(good) if row["campaign_id"] == "18"])


def test_small_audiences_and_telling_siblings_are_found(good):
    assert [one for one in audit(good, min_size=35) if one.startswith("audience 17:")]
    siblings = rows({"17": KEYS[:40], "18": KEYS[:41]})
    assert [one for one in audit(siblings) if one.startswith("audiences 17 and 18:")]


def test_whom_the_plan_may_not_contact_is_found(good):
    place = next(at for at, row in enumerate(good) if row["is_holdout"])
    turned = [*good]
    turned[place] = good[place] | {"is_planned": True}
    assert "plan of 17: it contacts users whom the audience does not" in audit(turned)


def test_every_planned_flag_turned_is_found(good):
    told = summary(good)
    for place, row in enumerate(good):
        turned = [*good]
        turned[place] = row | {"is_planned": not row["is_planned"]}
        assert any(one.startswith(f"plan of {row['campaign_id']}:") for one in audit(turned, told))


def test_a_plan_beyond_its_budget_is_found(good):
    told = [row | {"budget_cents": 100.0 + 10 * row["planned"]} for row in summary(good)]
    assert audit(good, told) == []
    told[0]["budget_cents"] -= 1
    assert [one for one in audit(good, told) if "plan of 17: it comes to" in one]


def test_a_plan_beyond_the_cap_is_found(good):
    assert audit(good, room=dict.fromkeys(KEYS, 2)) == []
    (found,) = audit(good, room=dict.fromkeys(KEYS, 1))
    both = {row["user_key"] for row in good if row["campaign_id"] == "17" and row["is_planned"]} & {
        row["user_key"] for row in good if row["campaign_id"] == "18" and row["is_planned"]
    }
    assert found == f"plan: {len(both)} users are contacted more often than the cap allows"
    assert audit(good, room={})


def test_a_plan_that_tells_of_a_few_is_found(good):
    place = next(at for at, row in enumerate(good) if row["is_planned"])
    turned = [*good]
    turned[place] = good[place] | {"is_planned": False}
    found = audit(turned)
    assert [one for one in found if "1 users are in one of them alone" in one]
    last = [row | {"is_planned": place % 3 == 0 and row["is_planned"]} for place, row in enumerate(good)]
    assert [one for one in audit(good, last=last) if "plan of 17 of last night" in one]
