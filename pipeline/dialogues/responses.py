"""Rank a file's candidates by what the training dialogues beside it teach, and say how each way of reading does.

Labels of the file are looked at once everything is chosen, to judge by; nothing is tuned on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dialogues import contexts
from pipeline.dialogues.contexts import Contexts
from pipeline.errors import DataError
from pipeline.metrics import intervals
from pipeline.models import responses
from pipeline.record import Recorder
from pipeline.settings import EncoderSettings
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

BASELINES = ("BM25", "frozen encoder")
DEPTHS = (1, 2, 5)

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        figures: by who ranks: `recall_at_K` and `mrr` with ends of their intervals; empty where nothing is labelled.
        gains: over each baseline in recall at 1, with its paired interval.
        facts: of the run.
    """

    figures: Figures
    gains: dict[str, tuple[float, float, float]]
    facts: Mapping[str, object]


def run(
    path: Path,
    train: Path | None,
    settings: EncoderSettings,
    out: Path,
    *,
    home: Path,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[str, int, int], None],
) -> Outcome:
    """Learn, rank, write the ranks, and judge.

    Args:
        path: contexts to rank the candidates of.
        train: what teaches; None for the file `train` in the same folder.
        settings: checkpoint and rates.
        out: Parquet with row, context, label, score and rank.
        home: under which checkpoints are unpacked.
        folder: for the Trainer's checkpoints.
        seed: of all drawing.
        recorder: gets curves.
        progress: called as (step, done, total).

    Raises:
        DataError: a file cannot be read, or nothing teaches.
    """
    asked = contexts.read(path)
    taught = train or contexts.beside(path, "train")
    if taught is None:
        raise DataError(f"{path}: no file `train` beside it; name the one that teaches with --train")
    known = set(asked.turns)
    answered = [(context, answer) for context, answer in contexts.read(taught).answered() if context not in known]
    ranker = responses.learn(
        answered, settings, home=home, folder=folder, seed=seed, recorder=recorder, progress=progress
    )
    scores = ranker.scores(asked.turns, asked.context, asked.candidates)
    progress("rank", 1, 1)
    placed = {who: ranks(asked.context, score) for who, score in scores.items()}
    _write(asked, scores["fused"], placed["fused"], out)
    figures, gains = judge(asked, placed, seed)
    facts = {
        "checkpoint": settings.checkpoint,
        "taught by": len(answered),
        "contexts": len(asked.turns),
        "candidates": len(asked.candidates),
        "weights": " ".join(f"{weight:.2f}" for weight in ranker.mix.weights),
    }
    return Outcome(figures, gains, facts)


def ranks(context: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Place of each candidate in its context, 1 the best: int [N]; of equal scores all stand last, as if unlucky."""
    place = np.empty(len(score), np.int64)
    for rows in np.split(np.arange(len(score)), np.flatnonzero(np.diff(context)) + 1):
        place[rows] = (score[rows][:, None] <= score[rows]).sum(1)
    return place


def judge(
    asked: Contexts, placed: Mapping[str, np.ndarray], seed: int
) -> tuple[Figures, dict[str, tuple[float, float, float]]]:
    """Recall at DEPTHS and mean reciprocal rank of the first right candidate, over contexts that have one."""
    right = np.flatnonzero(asked.truth == 1)
    if not len(right):
        return {}, {}
    figures: Figures = {}
    hits = {}
    for who, place in placed.items():
        best = np.array([place[right[asked.context[right] == one]].min() for one in np.unique(asked.context[right])])
        values = {f"recall_at_{depth}": (best <= depth).astype(np.float64) for depth in DEPTHS} | {"mrr": 1 / best}
        figures[who] = {}
        for name, value in values.items():
            mean, low, high = intervals.bootstrap_mean(value, seed=seed)
            figures[who] |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        hits[who] = values["recall_at_1"]
    gains = {who: intervals.paired_gain(hits["fused"], hits[who], seed=seed) for who in BASELINES if who in hits}
    return figures, gains


def _write(asked: Contexts, score: np.ndarray, place: np.ndarray, out: Path) -> None:
    columns = {
        "row": pa.array(np.arange(len(score)), pa.int64()),
        "context": pa.array(asked.context, pa.int64()),
        "label": pa.array(asked.truth, pa.float64(), from_pandas=True),
        "score": pa.array(score, pa.float64()),
        "rank": pa.array(place, pa.int64()),
    }
    with durable.filled(out.resolve(), Step.TABLE) as path:
        pq.write_table(pa.table(columns), path, compression="zstd")
