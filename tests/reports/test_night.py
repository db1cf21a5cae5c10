"""The night's page: well-formed, self-contained, readable by anyone, and true to the record."""

import re
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, RUN_STATUS
from pipeline.record import FILES, RUNS, JsonRecorder
from pipeline.reports import night as page
from pipeline.reports import notes as noted
from pipeline.reports.notes import Notes
from pipeline.settings import Night, load_shop
from pipeline.stages.gate import note_json
from pipeline.tables import run_status
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.staging import Staging

VOID = {"meta", "br", "link", "img", "hr", "input"}
LABELLED = {"svg": "aria-labelledby", "img": "alt", "nav": "aria-label", "section": "aria-labelledby"}
Element = tuple[str, dict[str, str | None]]


WARNING = {
    "expectation": "expect_column_mean_to_be_between", "column": "rank", "severity": "warning",
    "observed": "observed 11", "why": "Lists should be full",
}  # fmt: skip


class Page(HTMLParser):
    """Reads a page strictly: whatever opens closes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.open: list[str] = []
        self.elements: list[Element] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


Fill = Callable[..., Night]
Tell = Callable[[Night], Page]


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["published", "refused", "failed at once", "running"])
def any_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fill: Fill) -> Page:
    """The page of a night in each state it can be left in, figures and all."""
    night = Night(load_shop("grocer"), date(2017, 11, 30), tmp_path_factory.mktemp("home"))
    if request.param in ("published", "refused"):
        fill(night, stopped=request.param == "refused")
    elif request.param == "failed at once":
        JsonRecorder(night.record).tags({"status": "failed", "failed_stage": "ingest", "error": "no <data>"})
    return read(page.render(night))


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Writes and reads a page without figures, which take seconds."""
    monkeypatch.setattr(page.plots, "draw_all", lambda record: [])
    return lambda night: read(page.render(night))


def test_page_is_self_contained(any_page: Page) -> None:
    for tag, attributes in any_page.elements:
        assert tag not in {"script", "link", "iframe", "object", "base"}
        for name in ("src", "href", "action", "xlink:href"):
            assert not re.match(r"[a-z]+:|//", attributes.get(name) or ""), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)


def test_page_loads_nothing_by_its_styles(any_page: Page) -> None:
    assert "http" not in any_page.source
    assert "@import" not in any_page.source
    assert set(re.findall(r"url\((.)", any_page.source)) <= {"#"}


def test_page_can_be_heard(any_page: Page) -> None:
    assert any_page.all("html") == [{"lang": "en"}]
    assert any_page.all("title")
    ids = [str(attributes["id"]) for _, attributes in any_page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attribute in LABELLED.items():
        for attributes in any_page.all(tag):
            assert attributes.get(attribute), (tag, attributes)
            if attribute == "aria-labelledby":
                assert set(str(attributes[attribute]).split()) <= set(ids)
    assert len(any_page.all("table")) == len(any_page.all("caption"))
    assert all(attributes.get("scope") for attributes in any_page.all("th"))


def test_headings_leave_no_level_out(any_page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in any_page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_links_lead_somewhere(night: Night, write_record: Fill, tell: Tell) -> None:
    found = tell(write_record())
    ids = {attributes.get("id") for _, attributes in found.elements}
    links = [str(attributes["href"]) for attributes in found.all("a")]
    assert "runs/audit/files/data_docs/index.html" in links
    for link in links:
        assert link[1:] in ids if link.startswith("#") else (night.record / link).is_file()


def test_a_published_night_says_so_first(write_record: Fill, tell: Tell) -> None:
    text = tell(write_record()).text
    assert "Grocer, Thursday, 30 November 2017" in text
    for words in (
        "1 table with 900 rows was published.", "snapshot 2017-11-30-0123456789ab",
        "Promoted: recommender.", "Champion kept: text encoder.", "Refused: response model.",
        "All expectations held, in 1 suite.", "made up for <tests>", "0.1.0+abc",
    ):  # fmt: skip
        assert words in text
    assert "What blocked it" not in text


def test_a_refused_night_says_what_blocked_and_what_stays(write_record: Fill, tell: Tell) -> None:
    found = tell(write_record(stopped=True))
    for words in (
        "The night was refused at “audit”. Nothing was published: there is no earlier snapshot to read.",
        "gate refused 1: score", "Blocked by the expectations on recommendations.",
        "12 of 900 rows (1.33% of those judged). a score below 0 is <no> chance", "What was made, and not published",
        "Promoted (judged, not published): recommender.",
    ):  # fmt: skip
        assert words in found.text
    assert "900 rows" not in found.text.replace("12 of 900 rows", "")


def test_warnings_are_counted(write_record: Fill, tell: Tell) -> None:
    night = write_record()
    suite = {"suite": "feed_events", "passed": True, "evaluated": 3, "failures": [WARNING, WARNING]}
    note_json(JsonRecorder(night.record / RUNS / "ingest"), "verdicts", [suite])
    text = tell(night).text
    assert "2 suites let the night through, with 2 warnings." in text
    assert "warning column mean to be between rank : observed 11. Lists should be full" in text


def test_readers_keep_the_snapshot_before(night: Night, write_record: Fill, tell: Tell) -> None:
    before = publish(night, {"recommendations": 3})
    write_record(stopped=True)
    assert f"readers keep the snapshot {before}" in tell(night).text


def test_a_broken_pointer_does_not_keep_the_page_from_telling(night: Night, tell: Tell) -> None:
    night.warehouse.mkdir(parents=True)
    (night.warehouse / "CURRENT").write_text("nonsense")
    JsonRecorder(night.record).tags({"status": "failed", "failed_stage": "ingest", "error": "disk full"})
    assert "disk full" in tell(night).text


def test_a_night_published_before_its_report_failed_is_published(write_record: Fill, tell: Tell) -> None:
    night = write_record()
    JsonRecorder(night.record).tags({"status": "failed", "failed_stage": "report", "error": "disk full"})
    text = tell(night).text
    assert "900 rows was published." in text
    assert "After publishing, this stage failed: report" in text


def test_models_stand_beside_their_rivals(write_record: Fill, tell: Tell) -> None:
    text = tell(write_record()).text
    for words in (
        "fused lists 0.300 0.290 to 0.310 0.300 0.290 to 0.310",
        "personal frequency 0.250 0.240 to 0.260 0.250 0.240 to 0.260 +0.0500 +0.0400 to +0.0600",
        "tuned tonight 0.0400 0.0200 to 0.0500", "users who buy least NDCG@10 0.2100 0.1800",
        "goods never bought before recall@10 0.0020", "AUC of the response model 0.810 0.780 to 0.840",
        "calibration error 0.200", "Training carried on from the champion: at most 16 steps on cpu",
        "NDCG@10 0.3000, +0.0500 [+0.0400, +0.0600] over personal frequency.", "No version of it serves tonight.",
    ):  # fmt: skip
        assert words in text


def test_every_row_is_accounted_for(write_record: Fill, tell: Tell) -> None:
    night = write_record()
    text = tell(night).text
    assert "events 110 1,100 1,000 60 40 yes" in text
    assert "users 0 5 4 0 0 no" in text
    assert "Rows are missing: a feed below does not add up." in text
    assert "The item is in no catalogue unknown_item 55" in text
    assert "events: column `colour` is new" in text
    JsonRecorder(night.record / RUNS / "ingest").metrics({"feed/users/published": 5})
    assert "Every row is accounted for" in tell(night).text


def test_a_file_that_was_set_aside_is_named(night: Night, write_record: Fill, tell: Tell) -> None:
    write_record()
    text = tell(night).text
    assert "events/ds=2017-11-30/<b>.csv 2017-11-30 torn: half of what its manifest says" in text


def test_tables_tell_why_they_are_empty_or_a_fallback(night: Night, write_record: Fill, tell: Tell) -> None:
    write_record()
    note_published(
        night, {"recommendations": 900, "ad_audiences": 0, "shop_documents": 0}, {"recommendations": "NDCG too low"}
    )
    text = tell(night).text
    assert "recommendations 900 fallback NDCG too low" in text
    assert "ad_audiences 0 empty Nothing qualified tonight" in text
    assert "shop_documents 0 no input The shop hands over no documents" in text
    assert "recommendations: NDCG too low." in text


def test_audiences_are_told_in_short(night: Night, write_record: Fill, tell: Tell) -> None:
    write_record()
    note_published(night, {"ad_audiences": 5000}, {}, audiences=True)
    text = tell(night).text
    assert "Autumn Type A 20 Sep 2017 to 28 Feb 2018 5,000 64 27 to 132 Google and TikTok Buys much" in text
    assert "Winter Type B 20 Sep 2017 to 28 Feb 2018 40 3 1 to 6 withheld below the floor" in text


def test_time_is_told_by_stage(write_record: Fill, tell: Tell) -> None:
    text = tell(write_record()).text
    assert "land and clean the feeds 4.0 s" in text
    assert "rank for every user 1 min 15 s" in text


def test_words_from_data_stay_words(night: Night, tell: Tell) -> None:
    JsonRecorder(night.record).tags(
        {"status": "failed", "failed_stage": "ingest", "error": "<script>alert(1)</script>"}
    )
    gate = JsonRecorder(night.record / RUNS / "ingest")
    gate.tags({"drift/0": "<img src=x>"})
    found = tell(night)
    assert not found.all("script")
    assert not found.all("img")
    assert "<script>alert(1)</script>" in found.text


def test_same_record_same_page(write_record: Fill) -> None:
    night = write_record()
    first = page.render(night).read_bytes()
    assert page.render(night).read_bytes() == first


def test_page_lies_where_readers_look(night: Night) -> None:
    assert page.render(night) == night.record / "report.html"


def test_a_removed_snapshot_leaves_the_counts(night: Night, write_record: Fill) -> None:
    write_record()
    assert [(one["name"], one["rows"]) for one in page._tables(Notes(night))] == [("recommendations", 900)]


def test_stages_stand_in_the_nights_order(write_record: Fill) -> None:
    assert Notes(write_record()).stages == [
        "ingest", "encoder", "fine_tune-recommendations", "fine_tune-audiences", "judge", "score-recommendations",
        "audit",
    ]  # fmt: skip


def test_every_stage_of_the_night_has_words() -> None:
    from pipeline.nightly import STAGES

    names = [f"{stage.name}-{item}" if item else stage.name for stage in STAGES for item in stage.over or (None,)]
    assert [*noted.STAGES, "report"] == names


def test_gate_without_data_docs_has_no_link(write_record: Fill) -> None:
    night = write_record()
    (night.record / RUNS / "audit" / FILES / "data_docs" / "index.html").unlink()
    assert page._gates(Notes(night))[0]["docs"] == ""


def test_a_model_that_could_not_be_measured_is_told(night: Night, tell: Tell) -> None:
    JsonRecorder(night.record / RUNS / "fine_tune-audiences").tags({"status": "done"})
    judge = JsonRecorder(night.record / RUNS / "judge")
    verdict = {"model": "audiences", "verdict": "refused", "champion": None, "serves": None, "why": "no responses"}
    note_json(judge, "judgement", [verdict])
    assert "Response model Refused No responses. No version of it serves tonight." in tell(night).text


def summary() -> pa.Table:
    campaign = {
        "starts_on": date(2017, 9, 20), "ends_on": date(2018, 2, 28), "nearest_campaign_id": None,
        "nearest_overlap": None, "min_size": 100, "top_reasons": ["Buys much"], "cost_per_contact_cents": 5.0,
        "spent_cents": 0.0, "planned": 0, "planned_cost_cents": 0.0, "planned_responses": 0.0,
        "planned_value_cents": 0.0, "uplift_reason": "its hold-out is drawn tonight",
    }  # fmt: skip
    rows = [
        campaign | {"campaign_id": "1", "campaign_name": "Autumn", "campaign_kind": "Type A", "size": 5000,
                    "expected_responses": 63.54, "expected_responses_low": 26.7, "expected_responses_high": 132.4,
                    "is_published": True, "withheld_reason": None, "platforms_ok": ["google", "tiktok"]},
        campaign | {"campaign_id": "2", "campaign_name": "Winter", "campaign_kind": "Type B", "size": 40,
                    "expected_responses": 3.0, "expected_responses_low": 1.0, "expected_responses_high": 6.0,
                    "is_published": False, "withheld_reason": "below the floor", "platforms_ok": []},
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=AD_AUDIENCE_SUMMARY.schema)


def publish(
    night: Night, rows: dict[str, int], fallbacks: dict[str, str] | None = None, *, audiences: bool = False
) -> str:
    """Commit a snapshot that holds run_status and, if asked, the audiences' summary."""
    staging = Staging.open(night.warehouse, night.day, night.run, fresh=True)
    staging.write(RUN_STATUS, run_status.rows(rows, fallbacks or {}, {}, ("campaigns",)))
    if audiences:
        staging.write(AD_AUDIENCE_SUMMARY, summary())
    asked = Requirements(None, True, frozenset({"run_status"}))
    made = commit(
        night.warehouse, staging, shop=night.shop.name, day=night.day, parent=None, models={}, policy_hash="f00d",
        code_version="1", requires=asked,
    )  # fmt: skip
    return made.snapshot


def note_published(night: Night, rows: dict[str, int], fallbacks: dict[str, str], *, audiences: bool = False) -> None:
    JsonRecorder(night.record).tags({"snapshot": publish(night, rows, fallbacks, audiences=audiences)})


@pytest.mark.parametrize(
    ("model", "metrics", "told"),
    [
        ("answers", {"accuracy/answers": 0.9, "accuracy/commonest": 0.3, "f1/answers": 0.6},
         ["Reader of dialogues", "0.900", "accuracy of the commonest intent", "0.300"]),
        ("asking", {"accuracy/asking": 0.75, "accuracy/commonest": 0.2}, ["Reader of the chat's questions", "0.750"]),
        ("phrasing", {"phrasing/accepted": 0.8, "phrasing/unsupported": 0.0}, ["Chat's wording", "0.800"]),
    ],
)  # fmt: skip
def test_models_of_the_chat_stand_there_when_they_were_judged(
    night: Night, tell: Tell, model: str, metrics: dict[str, float], told: list[str]
) -> None:
    recorder = JsonRecorder(night.record / RUNS / f"fine_tune-{model}")
    recorder.metrics(metrics)
    assert told[0] not in tell(night).text
    judged = {"model": model, "verdict": "promoted", "challenger": "c" * 12, "champion": None, "serves": "c" * 12}
    note_json(JsonRecorder(night.record / RUNS / "judge"), "judgement", [judged | {"why": f"so good is {model}"}])
    said = tell(night).text
    for words in (*told, f"So good is {model}."):
        assert words in said
