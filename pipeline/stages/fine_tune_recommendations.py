"""Train the recommender: the sequential transformer, then the order of candidates, then the judged week.

A night to which little has come (`recommender.fresh_share`) trains nothing: the judged week is the champion's.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
import torch

from pipeline.errors import NoData
from pipeline.features.history import History, bought_between
from pipeline.learning import champions
from pipeline.metrics import intervals, ranking
from pipeline.models import recommendations, sequential
from pipeline.models.order import Order
from pipeline.models.recommendations import Knowledge, Lesson
from pipeline.record import JsonRecorder
from pipeline.settings import Night, RecommenderSettings
from pipeline.stages import desk, fine_tune_cart, fresh
from pipeline.stages.gate import note_json
from pipeline.stages.ranking_inputs import RankingInputs

NAME = "recommendations"
CUTOFFS = (5, 10, 20, 50)
ORDER, CART = "order.json", "cart.json"
CHANCE = "chance-order"  # by another seed: tells what of tonight's changes is chance
JUDGED = "judged-users"  # NDCG@10 of each
VALID = 5_000  # windows by which training is stopped, at most: so what evaluations cost stays flat
JUDGES = 10_000  # users of the judged week, at most: likewise


class Opened(NamedTuple):
    """What a version ranks by: model, vocabulary row of each item, the text vectors it was trained on, order."""

    model: sequential.Sequential
    rows: np.ndarray
    texts: np.ndarray
    order: Order


def run(night: Night, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Train, keep the version, and note how it does on the judged week; or how the champion does that stands."""
    inputs, champion = RankingInputs(night), readable(night, desk.champion(night, NAME))
    facts = _standing(night, inputs, champion, recorder) if champion else None
    facts = facts or _trained(night, inputs, champion, recorder, progress)
    desk.note(night, f"measured-{NAME}", facts)
    return facts


def _standing(night: Night, inputs: RankingInputs, champion: str, recorder: JsonRecorder) -> dict[str, Any] | None:
    """How the champion does, where so little has come since it learned that it stands; None if another is wanted."""
    settings, limits = night.shop.recommender, night.shop.thresholds
    came = fresh.share(night, NAME) if settings.fresh_share else inf
    reads_by = champions.config(champions.folder(night.models, NAME, champion))["encoder"]
    if came >= settings.fresh_share or reads_by != desk.noted(night, "judgement-encoder")["serves"]:
        return None
    facts = _judged(inputs, open_version(night, inputs, champion), None, recorder)
    floor = facts["ndcg"][facts["best_baseline"]] * (1 + (limits.recommendations_min_ndcg_gain if limits else 0))
    if facts["ndcg"]["fused"] <= floor:
        return None
    recorder.params({"recommender.champion": champion, "recommender.came": came})
    return {
        "challenger": None,
        "champion": champion,
        "kept": f"{came:.1%} more purchases have come since one was taught",
        **facts,
    }


def _trained(
    night: Night, inputs: RankingInputs, champion: str | None, recorder: JsonRecorder, progress: desk.Progress
) -> dict[str, Any]:
    """A challenger, and how it and the champion do."""
    settings = night.shop.recommender
    encoder = desk.noted(night, "judgement-encoder")["serves"]
    texts = inputs.texts(encoder)
    past = inputs.history(inputs.cut.fit_end)
    model, vocabulary = _start(night, inputs, past, texts.shape[1], champion)
    rows = vocabulary.rows(inputs.space.ids.to_pylist())
    counts = np.asarray(past.baskets.sum(0)).ravel()
    fit = sequential.windows(past.lines, settings.history)
    tuning = inputs.history(inputs.cut.tune_end).lines
    valid = sequential.windows(tuning, settings.history, target_age=night.shop.holdout_days)
    valid = valid.drawn(VALID, night.shop.seed)
    batches = sequential.Batches(rows, texts, counts, settings.negatives, night.shop.seed)
    recorder.params(
        {
            "recommender": settings.model_dump(exclude={"training"}),
            "recommender.encoder": encoder,
            "recommender.champion": champion or "none",
            "recommender.vocabulary": len(vocabulary.ids),
            "recommender.windows": len(fit),
        }
    )
    folder = desk.checkpoints(night, NAME)
    model = sequential.train(
        model,
        fit,
        valid,
        batches,
        settings,
        warm=champion is not None,
        folder=folder,
        seed=night.shop.seed,
        recorder=recorder,
        progress=progress,
    )
    shutil.rmtree(folder, ignore_errors=True)
    lesson = recommendations.taught(
        _lessons(inputs, model, rows, texts), settings.candidates, night.shop.seed, night.shop.threads
    )
    order = Order.learn(*lesson, night.shop.seed, night.shop.threads, settings.trees)
    if champion:  # whose lists tonight's are held against
        other = Order.learn(*lesson, night.shop.seed + 1, night.shop.threads, settings.trees)
        desk.note(night, CHANCE, other.as_dict())
    del lesson
    note_json(recorder, "fusion", {"weights": order.shares()})
    cart = fine_tune_cart.learn(inputs, model, rows, texts, recorder)
    recorder.tags({"cart/order": "learned" if cart else "lift and habit, which no learned order completes better than"})
    version = champions.keep(night.models, NAME, _writer(model, vocabulary, night, encoder, order, cart))
    desk.tell_version(recorder, night, NAME, version)
    desk.tell_lesson(recorder, night, NAME, version, encoder=encoder, recommendations=champion)
    facts = _judged(inputs, Opened(model, rows, texts, order), champion, recorder)
    return {"challenger": version, "champion": champion, **facts}


def _judged(inputs: RankingInputs, version: Opened, champion: str | None, recorder: JsonRecorder) -> dict[str, Any]:
    """How a version does on the judged week, beside the baselines and the champion."""
    night, tuning = inputs.night, inputs.history(inputs.cut.tune_end)
    buyers, truth = _buyers(inputs, tuning, inputs.cut.tune_end, inputs.cut.day)
    buyers = np.sort(np.random.default_rng(night.shop.seed).permutation(buyers)[:JUDGES])
    model, rows, texts, order = version
    judged = inputs.counted(tuning, texts).reading(model, rows, texts, night.shop.recommender.history)
    return _measure(night, inputs, judged, buyers, truth, order, champion, recorder)


def _lessons(
    inputs: RankingInputs, model: sequential.Sequential, rows: np.ndarray, texts: np.ndarray
) -> Iterator[Lesson]:
    """The weeks that teach the order in which anybody known bought; the newest one has to be among them."""
    for known_by, end in inputs.cut.lessons:
        before = inputs.history(known_by)
        buyers, bought = _buyers(inputs, before, known_by, end, needed=end == inputs.cut.tune_end)
        if len(buyers):
            known = inputs.counted(before, texts).reading(model, rows, texts, inputs.night.shop.recommender.history)
            yield Lesson(known, buyers, bought)


def readable(night: Night, champion: str | None) -> str | None:
    """The champion, unless it is of another form or of a shop whose users took items otherwise."""
    if champion:
        folder = champions.folder(night.models, NAME, champion)
        repeats = champions.config(folder)["settings"].get("repeats", True)
        if (folder / ORDER).is_file() and repeats == night.shop.recommender.repeats:
            return champion
    return None


def open_version(night: Night, inputs: RankingInputs, version: str) -> Opened:
    """A kept version."""
    folder = champions.folder(night.models, NAME, version)
    model, vocabulary, config = sequential.load(folder)
    order = Order.from_dict(json.loads((folder / ORDER).read_text()))
    return Opened(model, vocabulary.rows(inputs.space.ids.to_pylist()), inputs.texts(config["encoder"]), order)


def open_cart(night: Night, version: str) -> Order | None:
    """The order of a kept version that completes baskets, if it has one."""
    path = champions.folder(night.models, NAME, version) / CART
    return Order.from_dict(json.loads(path.read_text())) if path.is_file() else None


def _start(
    night: Night, inputs: RankingInputs, past: History, text_width: int, champion: str | None
) -> tuple[sequential.Sequential, sequential.Vocabulary]:
    """A new model, or the champion grown by the ids it does not know."""
    settings = night.shop.recommender
    ids = inputs.space.ids.to_pylist()
    counts = np.asarray(past.baskets.sum(0)).ravel()
    frequent = [ids[place] for place in np.flatnonzero(counts >= settings.min_purchases)]
    if champion:
        old_model, old, config = sequential.load(champions.folder(night.models, NAME, champion))
        if _is_same(config, settings) and config["text_width"] == text_width:
            vocabulary = old.extended(frequent)
            return sequential.grown(old_model, old, vocabulary, settings), vocabulary
    vocabulary = sequential.Vocabulary([]).extended(frequent)
    torch.manual_seed(night.shop.seed)
    return sequential.Sequential(len(vocabulary.ids), text_width, settings), vocabulary


def _is_same(config: dict[str, Any], settings: RecommenderSettings) -> bool:
    """Whether a version is of tonight's settings, but for how and when it is trained and what had no name then."""
    tonight = settings.model_dump(mode="json", exclude={"fresh_share"}) | {"training": None}
    return tonight | config["settings"] | {"training": None} == tonight


def _writer(
    model: sequential.Sequential,
    vocabulary: sequential.Vocabulary,
    night: Night,
    encoder: str,
    order: Order,
    cart: Order | None,
) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        sequential.save(model, vocabulary, night.shop.recommender, encoder, folder)
        champions.write_json(folder / ORDER, order.as_dict())
        if cart:
            champions.write_json(folder / CART, cart.as_dict())

    return write


def _measure(
    night: Night,
    inputs: RankingInputs,
    known: Knowledge,
    buyers: np.ndarray,
    truth: sp.csr_matrix,
    order: Order,
    champion: str | None,
    recorder: JsonRecorder,
) -> dict[str, Any]:
    """Recall and NDCG of the fused lists, each source alone and the champion on the judged week's buyers."""
    most, settings = max(CUTOFFS), night.shop.recommender
    threads = night.shop.threads
    lists = recommendations.rank_beside(known, order, buyers, settings.candidates, most, threads)
    if champion:
        model, rows, texts, old = open_version(night, inputs, champion)
        theirs = known.reading(model, rows, texts, settings.history)
        lists["champion"] = recommendations.rank_all(theirs, old, buyers, settings.candidates, most, threads)
    truth = truth[buyers]
    scores = {who: _scores(ranked, truth) for who, ranked in lists.items()}
    _note_scores(scores, recorder, night.shop.seed)
    least = night.shop.policy.audit.least_group
    _note_segments(known.history.only(buyers), truth, lists["fused"], scores, recorder, least)
    whose = known.history.users.take(pa.array(buyers))
    desk.write(night, JUDGED, pa.table({"user_key": whose, "ndcg@10": scores["fused"]["ndcg@10"]}))
    means = {who: float(values["ndcg@10"].mean()) for who, values in scores.items()}
    best = max(recommendations.BASELINES, key=lambda who: (means[who], who))
    gain = intervals.paired_gain(scores["fused"]["ndcg@10"], scores[best]["ndcg@10"], seed=night.shop.seed)
    return {
        "users": len(buyers),
        "ndcg": means,
        "best_baseline": best,
        "gain": [float(value) for value in gain],
    }


def _buyers(
    inputs: RankingInputs, history: History, after: date, upto: date, *, needed: bool = True
) -> tuple[np.ndarray, sp.csr_matrix]:
    """Who bought listable goods in a range of days, as known before it, and what: int [B], bool CSR [U, I]."""
    bought = bought_between(inputs.lines, history.users, inputs.space, after, upto)
    buyers = np.flatnonzero(np.diff(bought.indptr) > 0)
    if needed and not len(buyers):
        raise NoData(f"shop {inputs.night.shop.name}: no known user bought after {after} to {upto}; run a later date")
    return buyers, bought


def _scores(ranked: np.ndarray, truth: sp.csr_matrix) -> dict[str, np.ndarray]:
    """Per-user recall and NDCG at every cutoff."""
    hits, counts = ranking.relevance(ranked, truth), np.diff(truth.indptr)
    out = {f"recall@{k}": ranking.recall_at(hits, counts, k) for k in CUTOFFS}
    return out | {f"ndcg@{k}": ranking.ndcg_at(hits, counts, k) for k in CUTOFFS}


def _note_scores(scores: dict[str, dict[str, np.ndarray]], recorder: JsonRecorder, seed: int) -> None:
    noted: dict[str, np.ndarray] = {}
    for who, values in scores.items():
        noted |= {f"{name.replace('@', f'/{who}@')}": users for name, users in values.items()}
        for name in ("recall@10", "ndcg@10") if who != "fused" else ():
            noted[f"gain/{name.replace('@', f'_fused_over_{who}@')}"] = scores["fused"][name] - values[name]
    found = intervals.bootstrap_means(list(noted.values()), seed=seed)
    for metric, (mean, low, high) in zip(noted, found, strict=True):
        recorder.metrics({metric: mean, f"{metric}_low": low, f"{metric}_high": high})


def _note_segments(
    history: History,
    truth: sp.csr_matrix,
    ranked: np.ndarray,
    scores: dict[str, dict[str, np.ndarray]],
    recorder: JsonRecorder,
    least: int,
) -> None:
    """NDCG@10 by how much history a user has, and recall@10 of goods bought before and never; of enough users each."""
    weight = np.asarray(history.baskets.sum(1)).ravel()
    light, heavy = np.quantile(weight, [1 / 3, 2 / 3])
    for name, users in {
        "light": weight <= light,
        "middle": (weight > light) & (weight <= heavy),
        "heavy": weight > heavy,
    }.items():
        for who in ("fused", "personal_frequency"):
            if users.sum() >= least:
                recorder.metrics({f"segment/{name}/ndcg/{who}@10": float(scores[who]["ndcg@10"][users].mean())})
    before = history.baskets > 0
    for name, part in {"repeat": truth.multiply(before), "explore": truth > truth.multiply(before)}.items():
        part = sp.csr_matrix(part, dtype=bool)
        part.eliminate_zeros()
        some = np.diff(part.indptr) > 0
        if some.sum() >= least:
            found = ranking.recall_at(ranking.relevance(ranked[some], part[some]), np.diff(part[some].indptr), 10)
            recorder.metrics({f"segment/{name}/recall/fused@10": float(found.mean())})
