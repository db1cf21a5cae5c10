"""What pages say of each model: verdict, measures with intervals, how it was trained. Not here: figures."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pipeline.reports import plots
from pipeline.reports.notes import Notes

VERDICTS = {
    "promoted": ("Promoted", "Promoted"),
    "kept": ("Champion kept", "Champion kept"),
    "baseline": ("Baseline serves", "Left to the baseline"),
    "refused": ("Refused", "Refused"),
}
ENCODERS = {"frozen": "as pretrained", "champion": "champion", "challenger": "tuned tonight"}
BESIDE = {"encoder": "loss-encoder", "recommendations": "fusion", "audiences": "reliability",
          "sentiment": "loss-sentiment", "answers": "loss-answers", "asking": "",
          "phrasing": "loss-phrasing"}  # the model's table  # fmt: skip
FIGURES = {"encoder": (), "recommendations": ("recall", "ndcg", "gains", "importance-lists", "loss-recommendations"),
           "audiences": ("importance-audiences",)}  # fmt: skip
READ = {"sentiment": "polarity", "answers": "intent", "asking": "kind of question"}  # what readers tell
OPTIONAL = (*READ, "phrasing")  # models that a shop may do without
SEGMENTS = {
    "light": "users who buy least", "middle": "users in between", "heavy": "users who buy most",
    "repeat": "goods bought before", "explore": "goods never bought before",
}  # fmt: skip


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
