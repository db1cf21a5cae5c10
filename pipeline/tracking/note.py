"""The text a reviewer reads first on a night's run page. Knows the record alone, nothing of MLflow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.record import FILES, RUNS, last_values
from pipeline.settings import Night

LINES = 12  # changes shown on the run's page; the sample has more
PAGES = {
    "report.html": "the night's page", "model_card.html": "what each model is for, and the audits by group",
    "data_card.html": "what was handed over", "marketing.html": "audiences for marketing",
}  # fmt: skip
HEADLINES = {
    "NDCG@10 of the lists": "ndcg/fused@10",
    "its gain over popularity": "gain/ndcg_fused_over_popularity@10",
    "its gain over own frequency": "gain/ndcg_fused_over_personal_frequency@10",
    "its gain over co-visitation": "gain/ndcg_fused_over_co_visitation@10",
    "recall@10 of the lists": "recall/fused@10",
    "AUC of the response model": "auc/response",
    "its gain over recency and frequency": "gain/auc",
    "calibration error": "calibration/ece",
    "recall@10 of the encoder": "recall/challenger@10",
    "recall@10 of the pretrained encoder": "recall/frozen@10",
}


def note(night: Night, tags: Mapping[str, str]) -> str:
    """What a reviewer reads first."""
    status, folder = tags.get("status", "unknown"), night.record / RUNS
    said = [f"### {night.shop.name}, {night.day}, run {night.run}: {status}", ""]
    if status == "published":
        said += [f"Snapshot `{tags.get('snapshot')}` follows `{tags.get('parent_snapshot', 'none')}`."]
    elif tags.get("error"):
        said += [f"Stopped at **{tags.get('failed_stage')}**: {tags['error']}", ""]
    measured: dict[str, float] = {}
    for stage in folder.glob("*"):
        measured |= last_values(stage, "metrics")
    # One paragraph before all tables: MLflow shows the first lines only, until somebody asks for more.
    said += _held(folder / "audit" / FILES, "promises", "promise", "kept", "broken")
    said += _held(folder / "audit" / FILES, "audits", "audit", "within their limits", "beyond a limit")
    gates = [name for name in measured if name.startswith("gate/") and name.endswith("/passed")]
    passed = sum(measured[name] == 1 for name in gates)
    said += [f"Gates: {passed} of {len(gates)} suites passed."] if gates else []
    said += [""]
    if judged := judgements(night):
        said += ["| model | verdict | serves | why |", "|---|---|---|---|"]
        said += [
            f"| {name} | **{one['verdict']}** | {one.get('serves') or one.get('champion') or '-'} | {one['why']} |"
            for name, one in judged.items()
        ]
        said += [""]
    said += balance(night)
    if rows := [_measure(words, name, measured) for words, name in HEADLINES.items() if name in measured]:
        said += ["| measure | value | 95 % interval |", "|---|---|---|", *rows, ""]
    said += [f"Under Artifacts: {'; '.join(found)}."] if (found := _artifacts(night)) else []
    said += ["", f"Provenance: {tags['provenance']}"] if tags.get("provenance") else []
    return "\n".join(said)


def balance(night: Night) -> list[str]:
    """What changed in lists, for whom, why, at what price and which rule bound: lines, none before the balance."""
    folder = night.record / RUNS
    path = folder / "balance" / FILES / "balance.json"
    if not path.exists():
        return []
    noted = json.loads(path.read_text(encoding="utf-8"))
    price = "not known yet" if noted["price"] is None else f"{noted['price']:.2%} of NDCG@10 in the replay"
    binding = ", ".join(noted["binding"]) or "nothing"
    said = [
        "## What changed in lists, and why",
        "",
        f"{noted['why']}. Price of consistency: **{price}**. Binding: **{binding}**. The point: {noted['point']}.",
        "",
        "| users | lists | changed | by choice | by need | mean overlap | contradictions |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in noted["lists"]:
        changed, overlap = _or_dash(one["changed"], ","), _or_dash(one["overlap"], ".3f")
        said.append(
            f"| {one['state']} ({one['users']:,}) | {one['lists']:,} | {changed} | {one['voluntary']:,} "
            f"| {one['forced']:,} | {overlap} | {one['contradictions']} |"
        )
    if noted["changes"]:
        said += ["", "| what entered, by cause | items | users | of which idle, active |", "|---|---|---|---|"]
        said += [
            f"| {one['cause']} | {one['items']:,} | {one['users']:,} "
            f"| {one['states'].get('idle', 0):,}, {one['states'].get('active', 0):,} |"
            for one in noted["changes"]
        ]
    if noted["sample"]:
        said += ["", "| user | surface | item | change | why |", "|---|---|---|---|---|"]
        said += [
            f"| `{one['user']}` | {one['surface']} | {_cell(one['item'])} | {one['change']} | {_cell(one['reason'])} |"
            for one in noted["sample"][:LINES]
        ]
    plots = [name for name in ("front", "attribution") if (night.record / FILES / "plots" / f"{name}.png").exists()]
    said += (
        ["", f"Plots: {', '.join(f'`plots/{name}.png`' for name in plots)}; tables: `balance.json`."] if plots else []
    )
    return [*said, ""]


def _held(folder: Path, name: str, what: str, held: str, broken: str) -> list[str]:
    """Whether the promises, or the audits' limits, held, as the audit recounted them."""
    path = folder / f"{name}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    if not found:
        return []
    bad = [one[what] for one in found if one["violations"]]
    untried = [one[what] for one in found if not one["cases"]]
    told = f"{broken}: **{', '.join(bad)}**" if bad else f"{len(found) - len(untried)} {held}"
    without = f"; without a case: {', '.join(untried)}" if untried else ""
    return [f"{name.capitalize()}: {told}, in {sum(one['cases'] for one in found):,} cases{without}."]


def _artifacts(night: Night) -> list[str]:
    """What there is to open, by what it is."""
    found = [f"{words} `{name}`" for name, words in PAGES.items() if (night.record / name).exists()]
    drawn = sorted((night.record / FILES / "plots").glob("importance-*.png"))
    docs = sorted((night.record / RUNS).glob("*/files/data_docs"))
    for words, paths in (
        ("what moves places and contacts", [f"`plots/{path.name}`" for path in drawn]),
        ("Data Docs", [f"`data_docs/{path.parts[-3]}/index.html`" for path in docs]),
    ):
        found += [f"{words} {', '.join(paths)}"] if paths else []
    return found


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _cell(text: str) -> str:
    """Text that stays within its cell of a table."""
    return " ".join(text.split()).replace("|", "/")


def _measure(words: str, name: str, measured: Mapping[str, float]) -> str:
    low, high = measured.get(f"{name}_low"), measured.get(f"{name}_high")
    return f"| {words} | {measured[name]:.4f} | {f'{low:.4f} to {high:.4f}' if None not in (low, high) else ''} |"


def judgements(night: Night) -> dict[str, dict[str, Any]]:
    """What was judged tonight, by model; empty before that."""
    path = night.record / RUNS / "judge" / FILES / "judgement.json"
    facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return {one["model"]: one for one in facts}
