"""Learn the order of what completes an open basket, and measure it on the judged week's baskets."""

from dataclasses import replace
from datetime import date

import numpy as np
import scipy.sparse as sp

from pipeline.metrics import intervals, ranking
from pipeline.models import open_baskets, recommendations, sequential
from pipeline.models.order import Order, best, each_block
from pipeline.models.recommendations import Knowledge, Lesson
from pipeline.models.ways import among
from pipeline.record import Recorder
from pipeline.stages.ranking_inputs import RankingInputs

PLACES, JUDGES = 10, 10_000  # of a list; users by whom it is judged, at most
ALONE = {"lift": "complements/lift", "personal_frequency": "personal/slow", "popularity": "popularity/bought"}


def learn(
    inputs: RankingInputs, model: sequential.Sequential, rows: np.ndarray, texts: np.ndarray, recorder: Recorder
) -> Order | None:
    """The order, if it completes the judged week's baskets better than lift, personal frequency and popularity do.

    It learns from the last baskets of the weeks that nothing else has seen.
    """
    cut, settings, shop = inputs.cut, inputs.night.shop.recommender, inputs.night.shop
    taught = _lesson(inputs, cut.tune_end, (cut.tune_end - cut.fit_end).days, model, rows, texts)
    if not len(taught.users):
        return None
    lesson = recommendations.taught([taught], settings.candidates, shop.seed, shop.threads)
    order = Order.learn(*lesson, shop.seed, shop.threads, settings.trees)
    del taught, lesson
    judged = _lesson(inputs, cut.day, shop.holdout_days, model, rows, texts)
    if not len(judged.users):
        return None
    users = np.sort(np.random.default_rng(shop.seed).permutation(judged.users)[:JUDGES])
    lists = _beside(judged.known, order, users, settings.candidates, shop.threads)
    truth = judged.truth[users]
    scores = {who: _ndcg(ranked, truth) for who, ranked in lists.items()}
    for who, values in scores.items():
        mean, low, high = intervals.bootstrap_mean(values, seed=shop.seed)
        metric = f"cart/ndcg/{who}@{PLACES}"
        recorder.metrics({metric: mean, f"{metric}_low": low, f"{metric}_high": high})
    strongest = max(float(scores[who].mean()) for who in ALONE)
    return order if float(scores["fused"].mean()) > strongest else None


def _lesson(
    inputs: RankingInputs,
    as_of: date,
    days: int,
    model: sequential.Sequential,
    rows: np.ndarray,
    texts: np.ndarray,
) -> Lesson:
    """Last baskets of so many days without their second halves, and those halves."""
    history, space = inputs.history(as_of), inputs.space
    columns = np.flatnonzero(space.listable & (history.buyers_recent > 0))
    cut = open_baskets.halved(history.lines, len(space.ids), days)
    fits = sp.diags(np.isin(np.arange(len(space.ids)), columns).astype(float))
    wanted = sp.csr_matrix(cut.lost @ fits, dtype=bool)
    wanted.eliminate_zeros()
    length, threads = inputs.night.shop.recommender.history, inputs.night.shop.threads
    known = open_baskets.knowledge(replace(history, lines=cut.lines), columns, model, rows, texts, length, threads)
    return Lesson(known, np.flatnonzero(np.diff(wanted.indptr) > 0), wanted)


def _beside(known: Knowledge, order: Order, users: np.ndarray, count: int, threads: int) -> dict[str, np.ndarray]:
    """Lists of the order, `fused`, and of each of the simple ways by itself: int [B, K], -1 pads."""

    def ranked(block: np.ndarray) -> dict[str, np.ndarray]:
        scores = known.ways.scores(block)
        found = among(known.ways, scores, block, count)
        out = {"fused": recommendations.ordered(known, order, found, block, PLACES).items}
        for name, way in ALONE.items():
            user, item, rank = best(scores[way], block, PLACES)
            out[name] = np.full((len(block), PLACES), -1, np.int64)
            out[name][np.searchsorted(block, user), rank - 1] = known.columns[item]
        return out

    parts = list(each_block(ranked, users, threads))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _ndcg(ranked: np.ndarray, truth: sp.csr_matrix) -> np.ndarray:
    return ranking.ndcg_at(ranking.relevance(ranked, truth), np.diff(truth.indptr), PLACES)
