"""Fine-tune the text encoder, choose the one that serves, and hold every item text's vector ready."""

import shutil
from datetime import date
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from ibis import _

from pipeline.errors import Refused
from pipeline.features import baskets
from pipeline.features.split import Split
from pipeline.learning import champions, checkpoints, harness, lineage
from pipeline.learning.champions import Judgement, Outcome
from pipeline.metrics import intervals
from pipeline.models import encoder as encoders
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk, fresh

NAME = "encoder"
PAIR_DAYS = 180
WEEK_TOGETHER = 3  # joint baskets that make a pair of one week's, if the shop asks for as many of half a year's


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Train a challenger from the champion (or the pretrained checkpoint), judge it, embed the catalogue's texts."""
    shop, settings = night.shop, night.shop.encoder
    harness.settle(shop.seed, shop.threads)
    champion = desk.champion(night, NAME)
    if champion and settings.fresh_share and fresh.share(night, NAME) < settings.fresh_share:
        return _stay(night, recorder, champion, champion, "few purchases have come since an encoder was taught")
    catalogue = desk.catalogue(night)
    _hashes, texts = desk.text_index(catalogue)
    fit, valid, judged = _pairs(night, catalogue, texts, desk.cut(night))
    pretrained = checkpoints.resolve(settings.checkpoint, night.home)
    frozen = champions.keep(night.models, NAME, encoders.Encoder(pretrained, settings.max_tokens).save)
    lineage.note(night.models, f"{NAME}/{frozen}", lineage.Lesson(date.min))  # it learned of nobody here
    if not (len(fit.pairs) and len(valid.pairs) and len(judged)):
        why = "too few pairs of different items were bought together to tune or to judge"
        return _stay(night, recorder, champion, frozen, why)
    model = encoders.load(night.models, champion or frozen, settings.max_tokens)
    recorder.params({"encoder": settings.model_dump(exclude={"training"}), "encoder.start": champion or frozen})
    folder = desk.checkpoints(night, NAME)
    tuned = encoders.train(
        model,
        fit,
        valid,
        settings,
        warm=champion is not None,
        folder=folder,
        seed=shop.seed,
        recorder=recorder,
        progress=progress,
    )
    challenger = champions.keep(night.models, NAME, tuned.save)
    desk.tell_lesson(recorder, night, NAME, challenger, encoder=champion)
    shutil.rmtree(folder, ignore_errors=True)
    hits = {"frozen": frozen, "challenger": challenger} | ({"champion": champion} if champion else {})
    found = {
        who: encoders.partner_hits(desk.text_vectors(night, catalogue, version), judged)
        for who, version in hits.items()
    }
    for who, values in found.items():
        mean, low, high = intervals.bootstrap_mean(values, seed=shop.seed)
        recorder.metrics({f"recall/{who}@10": mean, f"recall/{who}@10_low": low, f"recall/{who}@10_high": high})
    return _settle(night, recorder, _judge(night, challenger, champion, frozen, found))


def _stay(night: Night, recorder: JsonRecorder, champion: str | None, frozen: str, why: str) -> dict[str, Any]:
    """Where there is nothing to tune on, or too little that is new, vectors stay as they are."""
    serves, verdict = champion or frozen, _otherwise(champion)
    return _settle(night, recorder, Judgement(NAME, verdict, serves, champion, serves, why))


def _settle(night: Night, recorder: JsonRecorder, judgement: Judgement) -> dict[str, Any]:
    """Note what serves, and embed the catalogue's texts with it."""
    desk.note(night, f"judgement-{NAME}", judgement.as_dict())
    serves = str(judgement.serves)
    recorder.tags(
        {
            "model/name": NAME,
            "model/version": serves,
            "model/verdict": judgement.verdict,
            "model/path": str((night.models / NAME / serves).relative_to(night.home)),
        }
    )
    desk.text_vectors(night, desk.catalogue(night), serves)
    return {"serves": serves, "verdict": judgement.verdict, "why": judgement.why}


def _pairs(
    night: Night, catalogue: pa.Table, texts: list[str], cut: Split
) -> tuple[encoders.Pairs, encoders.Pairs, np.ndarray]:
    """Pairs to fit on, to stop by, and to be judged by: each from its own days."""
    shop, settings = night.shop, night.shop.encoder
    listable = catalogue.filter(catalogue.column("is_listable")).select(["item_id", "item_text"])
    place = ibis.memtable(pa.table({"item_text": texts, "text": np.arange(len(texts))}))
    text_of = ibis.memtable(listable).join(place, "item_text").select("item_id", "text")
    lines = desk.lines(night).join(text_of, "item_id").select("basket_id", "ds", item_id=_.text)
    parts = baskets.parts_of(desk.lines(night))

    def drawn(upto: date, days: int, min_together: int, count: int) -> encoders.Pairs:
        held = baskets.pairs(
            lines, upto, max_basket=shop.cart.max_basket, min_together=min_together, window_days=days, parts=parts
        ).order_by("item_id", "other_id")
        return encoders.sample_pairs(held.to_pyarrow(), texts, count, shop.seed)

    fit = drawn(cut.fit_end, PAIR_DAYS, shop.cart.min_together, settings.pairs)
    week = min(WEEK_TOGETHER, shop.cart.min_together)
    valid = drawn(cut.tune_end, shop.holdout_days, week, settings.training.batch_size * 5)
    judged = drawn(cut.day, shop.holdout_days, week, settings.judged_pairs)
    return fit, valid, judged.pairs


def _judge(night: Night, challenger: str, champion: str | None, frozen: str, found: dict[str, np.ndarray]) -> Judgement:
    """The challenger serves when it surely finds more partners than its rival; else vectors stay as they are."""
    limits = night.shop.thresholds
    if limits is None:
        raise Refused(
            f"shop {night.shop.name}: no thresholds, so no model is judged good; add `thresholds` to its settings"
        )
    rival = "champion" if champion else "frozen"
    gain, low, high = intervals.paired_gain(found["challenger"], found[rival], seed=night.shop.seed)
    words = f"recall@10 {gain:+.4f} [{low:+.4f}, {high:+.4f}] over the {rival if champion else 'pretrained'} encoder"
    if gain >= limits.encoder_min_recall_gain and low > 0:
        return Judgement(NAME, "promoted", challenger, champion, challenger, words)
    return Judgement(
        NAME,
        _otherwise(champion),
        challenger,
        champion,
        champion or frozen,
        f"{words}: not surely {limits.encoder_min_recall_gain:+} or more",
    )


def _otherwise(champion: str | None) -> Outcome:
    """The verdict when no challenger is promoted."""
    return "kept" if champion else "baseline"
