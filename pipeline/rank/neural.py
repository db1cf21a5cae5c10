"""The pretrained parts of a bare ranking: titles as vectors of the tuned encoder, and the transformer over them."""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

from pipeline.features.sequences import Lines
from pipeline.learning import checkpoints
from pipeline.models import encoder as encoders
from pipeline.models import sequential
from pipeline.record import JsonRecorder
from pipeline.settings import EncoderSettings, RecommenderSettings, Training

Progress = Callable[[str, int, int], None]

ENCODER = EncoderSettings(
    checkpoint="embedded:minilm-l6",
    item_text="{title}",
    max_tokens=32,
    trained_layers=3,
    pairs=6000,
    judged_pairs=1000,
    training=Training(
        steps=120,
        warm_steps=8,
        batch_size=48,
        learning_rate=1e-4,
        warm_learning_rate=2e-5,
        eval_steps=40,
        patience=2,
    ),
)
RECOMMENDER = RecommenderSettings(
    width=128,
    layers=2,
    heads=2,
    history=50,
    negatives=2048,
    min_purchases=1,
    candidates=60,
    training=Training(
        steps=1200,
        warm_steps=200,
        batch_size=128,
        learning_rate=1e-3,
        warm_learning_rate=3e-4,
        eval_steps=200,
        patience=2,
    ),
)
CONTENT_WIDTH = 64
VALID_USERS = 4000


def vectors_of_titles(
    titles: list[str], taken: sp.csr_matrix, valid: np.ndarray, home: Path, seed: int, progress: Progress
) -> np.ndarray:
    """Unit vectors of titles, by an encoder tuned on what the same users took: float32 [I, T].

    Args:
        titles: by item.
        taken: CSR [U, I] what users took.
        valid: int [N, 2] pairs of items to stop by.
        home: under which pretrained weights are unpacked.
        seed: of the drawing.
        progress: called as (step, done, total).
    """
    texts, place = np.unique(np.array(titles, dtype=object), return_inverse=True)
    held = sp.csr_matrix(
        (taken > 0).astype(np.float32) @ sp.csr_matrix((np.ones(len(place)), (range(len(place)), place)))
    )
    encoder = encoders.Encoder(checkpoints.resolve(ENCODER.checkpoint, home), ENCODER.max_tokens)
    fit = encoders.sample_pairs(_together(held), texts.tolist(), ENCODER.pairs, seed)
    if len(fit.pairs) and len(valid):
        with tempfile.TemporaryDirectory() as folder:
            encoder = encoders.train(
                encoder,
                fit,
                encoders.Pairs(fit.texts, place[valid]),
                ENCODER,
                warm=False,
                folder=Path(folder),
                seed=seed,
                recorder=JsonRecorder(Path(folder) / "notes"),
                progress=partial(progress, "tune the encoder"),
            )
    return encoder.encode(texts.tolist())[place]


def _together(held: sp.csr_matrix) -> pa.Table:
    """Which texts the same users took, as `features.baskets.pairs`, at least twice."""
    both = (held.astype(bool).astype(np.float32).T @ held.astype(bool).astype(np.float32)).tocoo()
    owners = np.asarray(held.astype(bool).sum(0)).ravel()
    kept = (both.row != both.col) & (both.data > 1)
    row, column = both.row[kept], both.col[kept]
    order = np.lexsort((column, row))
    return pa.table(
        {
            "item_id": row[order],
            "other_id": column[order],
            "together": both.data[kept][order],
            "item_baskets": owners[row[order]],
            "other_baskets": owners[column[order]],
            "all_baskets": np.full(len(order), held.shape[0]),
        }
    )


def narrow(content: sp.csr_matrix, seed: int) -> np.ndarray:
    """Content in few dimensions, unit rows: float32 [I, T]; one empty column where nothing is known of any item."""
    if min(content.shape) <= CONTENT_WIDTH:
        return np.zeros((content.shape[0], 1), np.float32)
    small = TruncatedSVD(CONTENT_WIDTH, random_state=seed).fit_transform(content)
    return np.asarray(normalize(small), np.float32)


@dataclass(frozen=True)
class Transformer:
    """A trained model with what it reads of the items.

    Attributes:
        model: trained.
        rows: int [I] vocabulary row of each item, 0 for none.
        texts: float32 [I, T].
    """

    model: sequential.Sequential
    rows: np.ndarray
    texts: np.ndarray

    def ways(self, lines: Lines) -> sequential.Ways:
        """Its opinion after the last of some lines."""
        states = sequential.user_states(self.model, lines, self.rows, self.texts, RECOMMENDER.history)
        return sequential.Ways(states, sequential.item_vectors(self.model, self.rows, self.texts))


def transformer(lines: Lines, later: Lines, texts: np.ndarray, seed: int, progress: Progress) -> Transformer:
    """Train on lines; stop by the newest basket of some later ones.

    Args:
        lines: what to learn from.
        later: the same users' lines one basket further, of users that may be looked at.
        texts: float32 [I, T].
        seed: of all drawing.
        progress: called as (step, done, total).
    """
    counts = np.bincount(lines.item, minlength=len(texts))
    rows = np.where(counts > 0, np.cumsum(counts > 0), 0)
    torch.manual_seed(seed)
    model = Transformer(sequential.Sequential(int(rows.max()), texts.shape[1], RECOMMENDER), rows, texts)
    some = np.sort(np.random.default_rng(seed).permutation(len(later))[:VALID_USERS])
    return _trained(model, lines, later.only(some), seed, partial(progress, "train the transformer"), warm=False)


def carried_on(model: Transformer, lines: Lines, later: Lines, seed: int, progress: Progress) -> Transformer:
    """The model trained on with what has come since, unless that foretells others' newest items no better.

    Args:
        model: trained.
        lines: what to learn from.
        later: lines whose newest basket it has not seen, to stop by.
        seed: of all drawing.
        progress: called as (step, done, total).
    """
    return _trained(copy.deepcopy(model), lines, later, seed, partial(progress, "carry the transformer on"), warm=True)


def _trained(
    kept: Transformer, lines: Lines, later: Lines, seed: int, progress: Callable[[int, int], None], *, warm: bool
) -> Transformer:
    fit = sequential.windows(lines, RECOMMENDER.history)
    valid = sequential.windows(later, RECOMMENDER.history, target_age=1)
    if not (len(fit) and len(valid)):
        return kept  # too little to learn from: its opinion will count for nothing
    counts = np.bincount(lines.item, minlength=len(kept.texts)).astype(np.float64)
    batches = sequential.Batches(kept.rows, kept.texts, counts, RECOMMENDER.negatives, seed)
    with tempfile.TemporaryDirectory() as folder:
        model = sequential.train(
            kept.model,
            fit,
            valid,
            batches,
            RECOMMENDER,
            warm=warm,
            folder=Path(folder),
            seed=seed,
            recorder=JsonRecorder(Path(folder) / "notes"),
            progress=progress,
        )
    return replace(kept, model=model)
