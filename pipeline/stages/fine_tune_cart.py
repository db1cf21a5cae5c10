"""Learn the order of what completes an open basket, and measure it on the judged week's baskets."""

from dataclasses import replace
from datetime import date

import numpy as np
import scipy.sparse as sp

from pipeline.metrics import intervals, ranking
from pipeline.models import open_baskets, recommendations, sequential
from pipeline.models.order import Order, best, blocks
from pipeline.models.recommendations import Lesson
from pipeline.record import Recorder
from pipeline.stages.ranking_inputs import RankingInputs

PLACES = 10
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
    order = Order.learn(*recommendations.taught([taught], settings.candidates, shop.seed), shop.seed, shop.threads)
    del taught
    judged = _lesson(inputs, cut.day, shop.holdout_days, model, rows, texts)
    if not len(judged.users):
        return None
    lists = {"fused": recommendations.rank_all(judged.known, order, judged.users, settings.candidates, PLACES)}
    lists |= {name: _alone(judged, way) for name, way in ALONE.items()}
    truth = judged.truth[judged.users]
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
    length = inputs.night.shop.recommender.history
    known = open_baskets.knowledge(replace(history, lines=cut.lines), columns, model, rows, texts, length)
    return Lesson(known, np.flatnonzero(np.diff(wanted.indptr) > 0), wanted)


def _alone(judged: Lesson, way: str) -> np.ndarray:
    """Lists of one way by itself: int [B, K], -1 pads."""
    out = np.full((len(judged.users), PLACES), -1, np.int64)
    for block in blocks(judged.users):
        user, item, rank = best(judged.known.ways.scores(block)[way], block, PLACES)
        out[np.searchsorted(judged.users, user), rank - 1] = judged.known.columns[item]
    return out


def _ndcg(ranked: np.ndarray, truth: sp.csr_matrix) -> np.ndarray:
    return ranking.ndcg_at(ranking.relevance(ranked, truth), np.diff(truth.indptr), PLACES)
