"""The night on one page for reviewers, the platform team and marketing: what was published, how models did, what not.

Everything is read from the night's record and its tables, so a page can be written again at any time. The page needs no
network. Not here: figures (`reports.plots`), what is said of models (`reports.judged`), and judgements (stages make
them, the page repeats them).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pyarrow.parquet as pq

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, RUN_STATUS, TABLES
from pipeline.errors import ShopkeelError
from pipeline.record import FILES, RUNS
from pipeline.reports import judged, plots
from pipeline.reports.notes import STAGES, Notes
from pipeline.settings import Night
from pipeline.warehouse import snapshot
from pipeline.warehouse.staging import Staging

PAGE = "report.html"
GATES = {"ingest": "Feeds", "features": "Features", "audit": "Staged tables"}
STATES = {
    "new": "had no list last night", "active": "acted since last night", "idle": "did nothing since last night",
}  # fmt: skip
CAUSES = {
    "forced": "takes the place of what may no longer be shown", "user": "the user's own new events",
    "data": "what other users did", "model": "the retrained model", "explore": "shown to learn whether it fits",
    "first_night": "a first list", "kept": "the list became shorter",
}  # fmt: skip
TABLE_STATES = {"produced": "as asked", "fallback": "fallback", "empty": "empty", "no_input": "no input"}
PLATFORMS = {"linkedin": "LinkedIn", "tiktok": "TikTok"}


def render(night: Night) -> Path:
    """Draw the night's plots and write its page, `report.html` in the record; also for a night that was stopped."""
    notes = Notes(night)
    drawn = {plot.name: plot for plot in plots.draw_all(night.record)}
    facts = {
        "night": night,
        "tags": notes.tags,
        "weekday": f"{night.day:%A}, {night.day.day} {night.day:%B %Y}",
        "plots": drawn,
        "published": notes.is_published,
        "current": _current(night),
        "tables": _tables(notes),
        "models": judged.models(notes, drawn),
        "feeds": feeds(notes),
        "gates": _gates(notes),
        "audiences": _audiences(notes),
        "balance": _balance(notes),
        "audited": notes.file("audit", "audits"),
        "timing": _timing(notes),
        "drift": [words for name, words in notes.of("ingest", "tags").items() if name.startswith("drift/")],
        "quarantine": notes.file("ingest", "quarantine"),
        "refused_files": notes.file("ingest", "refused_files"),
    }
    facts |= {"headline": _headline(facts), "glance": _glance(notes, facts), "said": _said(facts)}
    page = night.record / PAGE
    page.write_text(templates().get_template("night.html.j2").render(facts), encoding="utf-8")
    return page


def templates() -> jinja2.Environment:
    """The pages' templates; what a page does not know is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.reports"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["opened"] = lambda text: text[:1].upper() + text[1:]
    return environment


def _current(night: Night) -> str | None:
    try:
        return snapshot.pointer(night.warehouse)
    except ShopkeelError:
        return None


def _headline(facts: Mapping[str, Any]) -> str:
    """What happened, in a sentence."""
    tags, current = facts["tags"], facts["current"]
    if facts["published"]:
        tables = [one for one in facts["tables"] if one["rows"]]
        rows = sum(one["rows"] for one in tables)
        return f"{_count(len(tables), 'table')} with {rows:,} rows {'was' if len(tables) == 1 else 'were'} published."
    stays = f"readers keep the snapshot {current}" if current else "there is no earlier snapshot to read"
    if tags.get("status") in ("refused", "failed"):
        how = "was refused" if tags["status"] == "refused" else "failed"
        return f"The night {how} at “{tags.get('failed_stage', 'an unknown stage')}”. Nothing was published: {stays}."
    return f"The night has not ended. Nothing is published yet: {stays}."


def _said(facts: Mapping[str, Any]) -> list[str]:
    """The sentences a reviewer reads first, after the headline."""
    said, late = [], "" if facts["published"] else " (judged, not published)"
    for verdict, (_, words) in judged.VERDICTS.items():
        named = [model["words"] for model in facts["models"] if model["verdict"] == verdict]
        said += [f"{words}{late}: {_listed(named)}."] if named else []
    suites = [suite for gate in facts["gates"] for suite in gate["suites"]]
    failed = [suite["suite"].replace("_", " ") for suite in suites if not suite["passed"]]
    if failed:
        said.append(f"Blocked by the expectations on {_listed(failed)}.")
    elif suites:
        warned = sum(len(suite["failures"]) for suite in suites)
        held = _count(len(suites), "suite")
        with_warnings = f"{held} let the night through, with {_count(warned, 'warning')}."
        said.append(with_warnings if warned else f"All expectations held, in {held}.")
    said += [f"{one['name']}: {one['reason']}." for one in facts["tables"] if one["status"] in ("fallback", "empty")]
    return said


def _glance(notes: Notes, facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """A few figures: (what, value, beside what)."""
    lists = notes.of("fine_tune-recommendations", "metrics")
    response = notes.of("fine_tune-audiences", "metrics")
    glance = []
    if "ndcg/fused@10" in lists:
        beside = f"{lists['ndcg/personal_frequency@10']:.3f} by personal frequency"
        glance.append(("NDCG@10, fused lists", f"{lists['ndcg/fused@10']:.3f}", beside))
        beside = f"{lists['recall/personal_frequency@10']:.3f} by personal frequency"
        glance.append(("recall@10, fused lists", f"{lists['recall/fused@10']:.3f}", beside))
    if "auc/response" in response:
        beside = f"{response['auc/recency_frequency']:.3f} by recency and frequency"
        glance.append(("AUC, response model", f"{response['auc/response']:.3f}", beside))
    if total := sum(one["seconds"] for one in facts["timing"]):
        glance.append(("time at work", _minutes(total), f"in {len(facts['timing'])} steps"))
    return glance


def _tables(notes: Notes) -> list[dict[str, Any]]:
    """Tables of the night: status rows where they exist, else what the scoring stages counted."""
    rows = _rows(notes, RUN_STATUS.name)
    if not rows:
        counted = {
            name.removeprefix("rows/"): int(count)
            for stage in notes.stages if stage.startswith("score-")
            for name, count in notes.of(stage, "metrics").items() if name.startswith("rows/")
        }  # fmt: skip
        rows = [
            {"table_name": name, "status": "produced" if count else "empty", "rows": count, "status_reason": None}
            for name, count in counted.items()
        ]
    return [
        {
            "name": row["table_name"],
            "sentence": TABLES[row["table_name"]].sentence if row["table_name"] in TABLES else "",
            "rows": row["rows"],
            "status": row["status"],
            "words": TABLE_STATES[row["status"]] if notes.is_published else "staged",
            "reason": row["status_reason"] or "",
        }
        for row in sorted(rows, key=lambda row: (row["status"] == "no_input", row["table_name"]))
    ]


def _rows(notes: Notes, table: str) -> list[dict[str, Any]]:
    """A table of this night: published, or else staged; none when the night did not come so far."""
    night, named = notes.night, notes.tags.get("snapshot")
    try:
        if notes.is_published and named:
            return snapshot.open_snapshot(night.warehouse, named).table(table).to_pylist()
    except ShopkeelError:
        return []  # the snapshot has been removed since
    staged = Staging(night.warehouse, night.day, night.run).path(table)
    return pq.read_table(staged).to_pylist() if staged.is_file() else []


def feeds(notes: Notes) -> list[dict[str, Any]]:
    """Each feed's balance: arrived = published + quarantined + deduplicated."""
    metrics = notes.of("ingest", "metrics")
    names = [name.split("/")[1] for name in metrics if name.startswith("feed/") and name.endswith("/night_arrived")]
    found = []
    for name in names:
        counts = {
            key: int(metrics[f"feed/{name}/{key}"])
            for key in ("night_arrived", "arrived", "published", "quarantined", "deduplicated")
        }
        balanced = counts["arrived"] == counts["published"] + counts["quarantined"] + counts["deduplicated"]
        found.append({"name": name, **counts, "balanced": balanced})
    return found


def _gates(notes: Notes) -> list[dict[str, Any]]:
    """Each gate's suites with their failures, and where its Data Docs lie, relative to the page."""
    gates = []
    for stage, words in GATES.items():
        docs = Path(RUNS, stage, FILES, "data_docs", "index.html")
        suites = notes.file(stage, "verdicts")
        if suites:
            there = (notes.night.record / docs).is_file()
            gates.append({"words": words, "suites": suites, "docs": docs.as_posix() if there else ""})
    return gates


def _audiences(notes: Notes) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "runs": f"{row['starts_on']:%d %b %Y} to {row['ends_on']:%d %b %Y}",
            "platforms": _listed(PLATFORMS.get(name, name.title()) for name in row["platforms_ok"] or []),
        }
        for row in _rows(notes, AD_AUDIENCE_SUMMARY.name)
    ]


def _by_number(one: dict[str, Any]) -> tuple[int, str]:
    return len(one["promise"].partition("_")[0]), one["promise"]  # G2 before G11


def _balance(notes: Notes) -> dict[str, Any]:
    """What changed in lists, for whom, why, at what price and by which rule; empty before the balance."""
    noted = notes.file("balance", "balance")
    if not noted:
        return {}
    causes = {one["cause"]: CAUSES.get(one["cause"], one["cause"]) for one in noted["changes"]}
    return noted | {
        "price": None if noted["price"] is None else f"{noted['price']:.2%}".replace("-", "−"),
        "causes": causes | {one["cause"]: CAUSES.get(one["cause"], one["cause"]) for one in noted["sample"]},
        "states": STATES,
        "attribution": notes.of("balance", "tags").get("balance/attribution", ""),
        "promises": sorted(notes.file("audit", "promises"), key=_by_number),
    }


def _timing(notes: Notes) -> list[dict[str, Any]]:
    seconds = {stage: notes.of(stage, "metrics").get("stage/seconds") for stage in notes.stages}
    known = {stage: value for stage, value in seconds.items() if value is not None}
    longest = max(known.values(), default=1.0) or 1.0
    return [
        {"words": STAGES[stage], "seconds": value, "time": _minutes(value), "share": 100 * value / longest}
        for stage, value in known.items()
    ]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def _listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = list(names) or [""]
    return f"{', '.join(most)} and {last}" if most else last
