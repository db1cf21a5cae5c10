"""The text a reviewer reads first on a night's run page. Knows the record alone, nothing of MLflow."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.record import FILES, RUNS, last_values
from pipeline.settings import Night

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
    if rows := [_measure(words, name, measured) for words, name in HEADLINES.items() if name in measured]:
        said += ["| measure | value | 95 % interval |", "|---|---|---|", *rows, ""]
    gates = [name for name in measured if name.startswith("gate/") and name.endswith("/passed")]
    passed = sum(measured[name] == 1 for name in gates)
    said += [f"Gates: {passed} of {len(gates)} suites passed.", ""] if gates else []
    docs = ", ".join(f"`data_docs/{path.parts[-3]}/index.html`" for path in sorted(folder.glob("*/files/data_docs")))
    said += ["Under Artifacts: the night's page `report.html`" + (f"; Data Docs {docs}." if docs else ".")]
    said += ["", f"Provenance: {tags['provenance']}"] if tags.get("provenance") else []
    return "\n".join(said)


def _measure(words: str, name: str, measured: Mapping[str, float]) -> str:
    low, high = measured.get(f"{name}_low"), measured.get(f"{name}_high")
    return f"| {words} | {measured[name]:.4f} | {f'{low:.4f} to {high:.4f}' if None not in (low, high) else ''} |"


def judgements(night: Night) -> dict[str, dict[str, Any]]:
    """What was judged tonight, by model; empty before that."""
    path = night.record / RUNS / "judge" / FILES / "judgement.json"
    facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return {one["model"]: one for one in facts}
