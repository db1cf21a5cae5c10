"""The marketing page: numbers worked out by hand, words for what is withheld, and no word from the network."""

import re
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise

import pyarrow as pa
import pytest

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES, AD_PLACEMENTS, USER_PROFILES
from pipeline.record import JsonRecorder
from pipeline.reports import marketing
from pipeline.settings import Night, load_shop
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.snapshot import open_snapshot
from pipeline.warehouse.staging import Staging

DAY = date(2017, 11, 30)
KEYS = [f"{n:032x}" for n in range(200)]
# Campaign: users, of whom the first are held out.
AUDIENCES = {"18": (KEYS[:120], 20), "19": (KEYS[60:200], 20)}


def people():
    return [
        {"campaign_id": name, "rank": rank, "user_key": key, "propensity": 0.5 if rank <= 60 else 0.1,
         "expected_value_cents": 100.0, "decile": 1, "is_holdout": rank <= held, "is_planned": rank > held,
         "in_since": DAY, "reason": "Shops"}
        for name, (keys, held) in AUDIENCES.items()
        for rank, key in enumerate(keys, 1)
    ]  # fmt: skip


def told(name, published=True, **more):
    return {
        "campaign_id": name, "campaign_name": f"Campaign <{name}>", "campaign_kind": "Type A", "starts_on": DAY,
        "ends_on": DAY, "size": 100, "expected_responses": {"18": 30.0}.get(name, 20.0), "expected_responses_low": 9.0,
        "expected_responses_high": 40.0, "is_published": published, "min_size": 100, "platforms_ok": ["google", "meta"],
        "top_reasons": ["Shops often & <likes> tea"], "withheld_reason": None if published else "fewer than 100 users",
        "cost_per_contact_cents": 5.0, "budget_cents": 1000.0, "spent_cents": 100.0, "planned": 100 if published else 0,
        "planned_cost_cents": 500.0, "planned_responses": 20.0, "planned_value_cents": 9_000.0,
        "plan_reason": None if published else "its audience is withheld",
        "uplift_reason": "its hold-out is drawn tonight",
    } | more  # fmt: skip


def profiles():
    return [
        {"user_key": key, "recency_days": 1, "baskets_90d": 3, "price_band": "value" if n < 50 else "premium",
         "segment": "s", "segment_name": "S", "segment_since": DAY, "summary": "x",
         "segment_cause": "kept", "basket_cuts": [1.0], "axes": "a",
         "category_affinities": [{"name": "TEA" if n < 120 else "SOAP", "share": 1.0, "baskets": 2}]}
        for n, key in enumerate(KEYS)
    ]  # fmt: skip


def placements():
    """Campaign 18 stands before 30 users, before ten of them twice; the shop's own pick before one."""
    return [
        {"user_key": KEYS[n % 30], "surface": "ad" if n < 30 else "home", "slot": 1, "item_id": "i",
         "campaign_id": "18" if n < 40 else None, "reason": "Spring", "kept_since": DAY, "change_cause": "kept",
         "is_fallback": n == 40}
        for n in range(41)
    ]  # fmt: skip


@pytest.fixture
def publish(tmp_path):
    def made(rows=None, summary=None):
        night = Night(load_shop("grocer"), DAY, tmp_path)
        staging = Staging.open(night.warehouse, DAY, "night", fresh=True)
        summary = (
            [told("19"), told("18", entered=7, left=3, last_overlap=0.9, flapped=1), told("26", False)]
            if summary is None
            else summary
        )
        frames = {
            AD_AUDIENCES: people() if rows is None else rows,
            AD_AUDIENCE_SUMMARY: summary,
            USER_PROFILES: profiles(),
            AD_PLACEMENTS: placements(),
        }
        for table, each in frames.items():
            staging.write(table, pa.Table.from_pylist(each, table.schema))
        manifest = commit(
            night.warehouse, staging, shop="grocer", day=DAY, parent=None, models={}, policy_hash="p", code_version="v",
            requires=Requirements(current=None, verdict_passed=True, tables=frozenset()),
        )  # fmt: skip
        JsonRecorder(night.record).tags({"snapshot": manifest.snapshot})
        return night

    return made


def text(page):
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_data = found.append
    parser.feed(re.sub(r"(?s)<style>.*?</style>", "", page))
    return " ".join(" ".join(found).split())


def test_cards_hold_what_the_tables_say(publish):
    night = publish()
    first, second, withheld = marketing.read_cards(open_snapshot(night.warehouse))
    assert [card.told["campaign_id"] for card in (first, second, withheld)] == ["18", "19", "26"]
    assert (len(first.users), first.held, first.worth_cents) == (100, 20, 10_000)
    assert first.propensity.sum() == pytest.approx(40 * 0.5 + 60 * 0.1)
    # Of the users 20 to 119, 30 buy in the value band; of all 200, 50 do.
    assert first.bands == [("value", 0.3, 0.25), ("middle", 0.0, 0.0), ("premium", 0.7, 0.75)]
    assert first.categories == [("TEA", 1.0, 0.6), ("SOAP", 0.0, 0.4)]
    assert {name for name, _, fits in first.platforms if fits} == {"google", "meta"}
    assert (len(withheld.users), withheld.bands, withheld.categories) == (0, [], [])
    # 20 to 119 and 80 to 199 share 80 to 119.
    assert marketing.overlaps([first, second]) == [[1.0, 0.4], [40 / 120, 1.0]]


def test_the_page_says_it_in_words(publish):
    words = text(marketing.render(publish()).read_text(encoding="utf-8"))
    assert "2 of 3 campaigns have an audience: 180 shoppers, about 50 responses to expect" in words
    assert "to contact 100 responses 30 9 to 40" in words
    assert "7 entered, 3 left (1 within a week of entering); 90 % of both nights" in words
    assert "First night of this audience" in words
    assert "Contact 100 for 5 USD: about 20 responses, worth 90 USD with costs taken off. 1 USD of a budget" in words
    assert "The plan contacts 200 times for 10 USD" in words
    assert words.count("In the shop it stands in 40 ad slots, before 30 shoppers.") == words.count("ad slots") == 1
    assert "Not known: its hold-out is drawn tonight." in words
    assert "Fewer than 100 users." in words
    assert "Shops often & <likes> tea" in words
    assert "Tiktok: needs 1,000 matched" in words
    assert "shopkeel audience 18 --shop grocer" in words
    assert "this demo shop has no flags" in words


def test_the_page_needs_no_network_and_escapes_what_it_quotes(publish):
    page = marketing.render(publish()).read_text(encoding="utf-8")
    assert not re.findall(r"(?i)<script|<link|@import|src=|url\((?!#)", page)
    assert "Campaign <18>" not in page
    assert "Campaign &lt;18&gt;" in page


def test_headings_leave_no_level_out_and_tables_have_captions(publish):
    page = marketing.render(publish()).read_text(encoding="utf-8")
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.count("<table") == page.count("<caption>") > 2
    assert 'lang="en"' in page
    assert page.count("<svg") == page.count('role="img"') == 2


def test_equal_snapshots_give_equal_pages(publish):
    night = publish()
    assert marketing.render(night).read_bytes() == marketing.render(night).read_bytes()


@pytest.mark.parametrize(
    ("summary", "says"),
    [([told("26", False)], "No campaign has an audience tonight"), ([], "No campaign runs after this day")],
)
def test_a_night_without_audiences_says_so(publish, summary, says):
    page = marketing.render(publish([], summary)).read_text(encoding="utf-8")
    assert says in text(page)
    assert "<svg" not in page


def test_what_was_not_published_has_no_page(tmp_path):
    night = Night(load_shop("grocer"), DAY, tmp_path)
    JsonRecorder(night.record).tags({"status": "refused"})
    assert marketing.render(night) is None


def test_a_measured_effect_is_told_of_a_hundred(publish):
    known = {
        "uplift_reason": None,
        "measured_uplift": 0.0312,
        "measured_uplift_low": 0.01,
        "measured_uplift_high": 0.052,
    }
    words = text(marketing.render(publish(summary=[told("18", **known)])).read_text(encoding="utf-8"))
    assert "Of a hundred contacted, 3.1 buy the campaign's goods who would not have otherwise (1.0 to 5.2)." in words
