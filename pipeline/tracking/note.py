"""The text a reviewer reads first on a night's run page. Knows the record alone, nothing of MLflow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.record import FILES, RUNS, last_values
from pipeline.settings import Night

LINES = 12  # changes shown on the run's page; the sample has more
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
    said = [f"# {night.shop.name}, {night.day}, run {night.run}: {status}", ""]
    if status == "published":
        said += [f"Snapshot `{tags.get('snapshot')}` follows `{tags.get('parent_snapshot', 'none')}`.", ""]
    elif tags.get("error"):
        said += [f"Stopped at **{tags.get('failed_stage')}**: {tags['error']}", ""]
    if judged := judgements(night):
        said += ["| model | verdict | serves | why |", "|---|---|---|---|"]
        said += [
            f"| {name} | **{one['verdict']}** | {one.get('serves') or one.get('champion') or '-'} | {one['why']} |"
            for name, one in judged.items()
        ]
        said += [""]
    measured: dict[str, float] = {}
    for stage in folder.glob("*"):
        measured |= last_values(stage, "metrics")
    said += balance(night)
    if rows := [_measure(words, name, measured) for words, name in HEADLINES.items() if name in measured]:
        said += ["| measure | value | 95 % interval |", "|---|---|---|", *rows, ""]
    gates = [name for name in measured if name.startswith("gate/") and name.endswith("/passed")]
    passed = sum(measured[name] == 1 for name in gates)
    said += [f"Gates: {passed} of {len(gates)} suites passed.", ""] if gates else []
    docs = ", ".join(f"`data_docs/{path.parts[-3]}/index.html`" for path in sorted(folder.glob("*/files/data_docs")))
    said += ["Under Artifacts: the night's page `report.html`" + (f"; Data Docs {docs}." if docs else ".")]
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
    said += _promises(folder)
    plots = [name for name in ("front", "attribution") if (night.record / FILES / "plots" / f"{name}.png").exists()]
    said += (
        ["", f"Plots: {', '.join(f'`plots/{name}.png`' for name in plots)}; tables: `balance.json`."] if plots else []
    )
    return [*said, ""]


def _promises(folder: Path) -> list[str]:
    """Whether the promises held, as the audit recounted them."""
    path = folder / "audit" / FILES / "promises.json"
    promises = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    if not promises:
        return []
    broken = [one["promise"] for one in promises if one["violations"]]
    untried = [one["promise"] for one in promises if not one["cases"]]
    told = f"broken: **{', '.join(broken)}**" if broken else f"{len(promises) - len(untried)} kept"
    without = f"; without a case: {', '.join(untried)}" if untried else ""
    return ["", f"Promises: {told}, in {sum(one['cases'] for one in promises):,} cases{without}."]


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
