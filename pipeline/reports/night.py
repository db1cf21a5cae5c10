"""The night on one page for reviewers, the platform team and marketing: what was published, how models did, what not.

Everything is read from the night's record and its tables, so a page can be written again at any time. The page needs no
network. Not here: figures (`reports.plots`), and judgements (stages make them, the page repeats them).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jinja2
import pyarrow.parquet as pq

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, RUN_STATUS, TABLES
from pipeline.errors import ShopkeelError
from pipeline.record import FILES, RUNS, last_values
from pipeline.reports import plots
from pipeline.settings import Night
from pipeline.warehouse import snapshot
from pipeline.warehouse.staging import Staging

PAGE = "report.html"
GATES = {"ingest": "Feeds", "features": "Features", "audit": "Staged tables"}
STAGES = {
    "ingest": "land and clean the feeds", "features": "build features", "encoder": "tune the text encoder",
    "fine_tune-recommendations": "train the recommender", "fine_tune-audiences": "train the response model",
    "fine_tune-sentiment": "train the reader of reviews", "fine_tune-answers": "train the reader of dialogues",
    "fine_tune-asking": "learn the chat's questions", "fine_tune-phrasing": "train the chat's wording",
    "judge": "judge the models", "score-recommendations": "rank for every user",
    "score-cart_recommendations": "rank what completes carts", "score-ad_audiences": "make audiences",
    "score-user_profiles": "make profiles", "score-page_layouts": "make page layouts",
    "score-review_sentiment": "read reviews", "score-open_questions": "group open questions",
    "balance": "balance the lists", "place": "fill the ad slots", "answers": "answer what is asked most",
    "audit": "judge the staged tables", "publish": "publish",
}  # fmt: skip
STATES = {
    "new": "had no list last night", "active": "acted since last night", "idle": "did nothing since last night",
}  # fmt: skip
CAUSES = {
    "forced": "takes the place of what may no longer be shown", "user": "the user's own new events",
    "data": "what other users did", "model": "the retrained model", "explore": "shown to learn whether it fits",
    "first_night": "a first list", "kept": "the list became shorter",
}  # fmt: skip
VERDICTS = {
    "promoted": ("Promoted", "Promoted"),
    "kept": ("Champion kept", "Champion kept"),
    "baseline": ("Baseline serves", "Left to the baseline"),
    "refused": ("Refused", "Refused"),
}
TABLE_STATES = {"produced": "as asked", "fallback": "fallback", "empty": "empty", "no_input": "no input"}
ENCODERS = {"frozen": "as pretrained", "champion": "champion", "challenger": "tuned tonight"}
BESIDE = {"encoder": "loss-encoder", "recommendations": "fusion", "audiences": "reliability",
          "sentiment": "loss-sentiment", "answers": "loss-answers", "asking": "",
          "phrasing": "loss-phrasing"}  # the model's table  # fmt: skip
FIGURES = {"encoder": (), "recommendations": ("recall", "ndcg", "gains", "importance-lists", "loss-recommendations"),
           "audiences": ("importance-audiences",)}  # fmt: skip
READ = {"sentiment": "polarity", "answers": "intent", "asking": "kind of question"}  # what readers tell
OPTIONAL = (*READ, "phrasing")  # models that a shop may do without
PLATFORMS = {"linkedin": "LinkedIn", "tiktok": "TikTok"}
SEGMENTS = {
    "light": "users who buy least", "middle": "users in between", "heavy": "users who buy most",
    "repeat": "goods bought before", "explore": "goods never bought before",
}  # fmt: skip


@dataclass(frozen=True)
class Notes:
    """What a night noted, by stage."""

    night: Night

    @cached_property
    def tags(self) -> dict[str, str]:
        """The night's own tags."""
        return last_values(self.night.record, "tags")

    @cached_property
    def stages(self) -> list[str]:
        """Stages that left notes, in the night's order."""
        noted = {path.name for path in (self.night.record / RUNS).glob("*") if path.is_dir()}
        return [name for name in STAGES if name in noted]

    def of(self, stage: str, kind: str) -> dict[str, Any]:
        """A stage's `metrics`, `params` or `tags`, the last of each name."""
        return last_values(self.night.record / RUNS / stage, kind)

    def file(self, stage: str, name: str) -> Any:
        """A JSON file that a stage kept; an empty list when there is none."""
        path = self.night.record / RUNS / stage / FILES / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    @property
    def is_published(self) -> bool:
        """Whether the night's snapshot is out, even where a later stage failed."""
        ended = self.tags.get("status") == "published" or self.tags.get("failed_stage") == "report"
        return ended and "snapshot" in self.tags


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
        "models": models(notes, drawn),
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
    for verdict, (_, words) in VERDICTS.items():
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


def models(notes: Notes, drawn: Mapping[str, plots.Plot]) -> list[dict[str, Any]]:
    """Each model that was trained: verdict, measures with intervals, and how it was trained."""
    judged = {one["model"]: one for one in notes.file("judge", "judgement")}
    measures = {"encoder": _encoder, "recommendations": _recommender, "audiences": _response}
    measures |= {name: partial(_reader, name) for name in READ} | {"phrasing": _wording}
    found = []
    for name, measure in measures.items():
        stage = name if name == "encoder" else f"fine_tune-{name}"
        if stage not in notes.stages or (name in OPTIONAL and name not in judged):
            continue
        verdict = judged.get(name, {})
        found.append(
            {
                "name": name,
                "words": plots.MODELS[name],
                "verdict": verdict.get("verdict", ""),
                "badge": VERDICTS.get(verdict.get("verdict", ""), ("Not judged", ""))[0],
                "why": verdict.get("why", ""),
                "serves": verdict.get("serves"),
                "champion": verdict.get("champion"),
                "measures": measure(notes.of(stage, "metrics")),
                "segments": _segments(notes.of(stage, "metrics")),
                "trained": _trained(notes.of(stage, "params")),
                "beside": BESIDE[name],
                "plots": [figure for figure in FIGURES.get(name, ()) if figure in drawn],
            }
        )
    return found


def _encoder(metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    return [
        _row(words, {"recall@10": _spread(metrics, f"recall/{who}@10", ".4f")})
        for who, words in ENCODERS.items()
        if f"recall/{who}@10" in metrics
    ]


def _recommender(metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    return [
        _row(
            words,
            {
                "recall@10": _spread(metrics, f"recall/{who}@10"),
                "NDCG@10": _spread(metrics, f"ndcg/{who}@10"),
                "fused lists gain (NDCG@10)": _spread(metrics, f"gain/ndcg_fused_over_{who}@10", "+.4f"),
            },
        )
        for who, (words, _, _) in plots.RANKERS.items()
        if f"ndcg/{who}@10" in metrics
    ]


def _response(metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    rows = {
        "auc/response": "AUC of the response model", "auc/recency_frequency": "AUC of recency and frequency",
        "gain/auc": "gain in AUC", "calibration/ece": "calibration error", "calibration/brier": "Brier score",
        "response/rate": "responses per send",
    }  # fmt: skip
    return [_row(words, {"value": _spread(metrics, name)}) for name, words in rows.items() if name in metrics]


def _reader(name: str, metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    rows = {
        f"accuracy/{name}": "accuracy of the reader", "accuracy/words": "accuracy by its word counts alone",
        "accuracy/champion": "accuracy of the champion",
        "accuracy/commonest": f"accuracy of the commonest {READ[name]}",
        f"f1/{name}": "macro-F1 of the reader", "calibration/ece": "calibration error",
        "flips/rate": "read right by the champion, wrong now",
    }  # fmt: skip
    return [_row(words, {"value": _spread(metrics, one)}) for one, words in rows.items() if one in metrics]


def _wording(metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    rows = {
        "phrasing/accepted": "sentences that are re-worded", "phrasing/accepted_new": "of kinds never taught",
        "phrasing/unsupported": "of these say what no fact does", "phrasing/flips": "re-worded by the champion alone",
    }  # fmt: skip
    return [_row(words, {"share": _spread(metrics, one)}) for one, words in rows.items() if one in metrics]


def _row(words: str, cells: dict[str, tuple[str, str]]) -> dict[str, Any]:
    return {"words": words, "cells": cells}


def _spread(metrics: Mapping[str, float], name: str, form: str = ".3f") -> tuple[str, str]:
    """A measure and its 95 % interval, as text; empty where there is none."""
    value, low, high = (
        format(metrics[key], form).replace("-", "−") if (key := f"{name}{end}") in metrics else ""
        for end in ("", "_low", "_high")
    )
    return value, f"{low} to {high}" if low and high else ""


def _segments(metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    """Measures by segment, `segment/<who>/<family>/<ranker>@10`: the fused lists beside what was measured with them."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for name, value in metrics.items():
        if name.startswith("segment/"):
            _, segment, family, ranker = name.split("/")
            found.setdefault((segment, family), {})[ranker.removesuffix("@10")] = value
    return [
        {
            "words": SEGMENTS.get(segment, segment),
            "measure": {"ndcg": "NDCG@10", "recall": "recall@10"}.get(family, family),
            "fused": f"{values['fused']:.4f}",
            "other": f"{values['personal_frequency']:.4f}" if "personal_frequency" in values else "",
        }
        for (segment, family), values in found.items()
        if "fused" in values
    ]


def _trained(params: Mapping[str, Any]) -> str:
    """How it was trained, in a sentence."""
    if "training.device" not in params:
        return ""
    warm = params.get("training.warm")
    steps = params.get("training", {}).get("warm_steps" if warm else "steps")
    return (
        f"Training {'carried on from the champion' if warm else 'began anew'}: at most {steps} steps on "
        f"{params['training.device']}, torch {params.get('torch', 'unknown')}."
    )


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
