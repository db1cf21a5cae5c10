"""Decide which version of each model serves tonight: challenger, champion, or the baseline."""

from dataclasses import replace
from typing import Any

from pipeline.errors import Refused
from pipeline.learning.champions import Judgement
from pipeline.record import JsonRecorder
from pipeline.settings import Night, Thresholds
from pipeline.stages import at_rest, desk
from pipeline.stages.gate import note_json


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Judge the trained models by the shop's thresholds; without thresholds nothing is judged good."""
    limits = night.shop.thresholds
    if limits is None:
        raise Refused(
            f"shop {night.shop.name}: no thresholds, so no model is judged good; add `thresholds` to its settings"
        )
    judgements = [
        Judgement(**desk.noted(night, "judgement-encoder")),
        judge_recommendations(desk.noted(night, "measured-recommendations"), limits),
        judge_audiences(desk.noted(night, "measured-audiences"), limits),
    ]
    read = desk.noted(night, "measured-sentiment")
    if "no_input" not in read:
        judgements.append(judge_sentiment(read, limits))
    heard = desk.noted(night, "measured-answers")
    if "no_input" not in heard:
        judgements.append(judge_answers(heard, limits))
    judgements.append(judge_asking(desk.noted(night, "measured-asking"), limits))
    worded = desk.noted(night, "measured-phrasing")
    if "no_input" not in worded:
        judgements.append(judge_phrasing(worded, limits))
    left = desk.left(night)
    judgements = [_told_of(judgement, left.get(judgement.model)) for judgement in judgements]
    facts = [judgement.as_dict() for judgement in judgements]
    note_json(recorder, "judgement", facts)
    recorder.tags({f"verdict/{judgement.model}": judgement.verdict for judgement in judgements})
    recorder.tags({f"verdict/{judgement.model}/why": judgement.why for judgement in judgements})
    recorder.tags({"lineage/left": ", ".join(f"{model}/{version}" for model, version in left.items()) or "none"})
    desk.note(night, "judgement", {judgement.model: judgement.as_dict() for judgement in judgements})
    serves = {judgement.model: judgement.serves for judgement in judgements}
    recorder.metrics({"users/at_rest": at_rest.decide(night, serves["recommendations"])})
    progress(1, 1)
    return {judgement.model: judgement.verdict for judgement in judgements}


def _told_of(judgement: Judgement, left: str | None) -> Judgement:
    """A judgement that says why there is no champion, where one was left."""
    why = f"{judgement.why}; begun anew, as {left} learned from users who have been erased"
    return replace(judgement, why=why) if left else judgement


def judge_recommendations(facts: dict[str, Any], limits: Thresholds) -> Judgement:
    """The fused lists against the best single baseline, then against the champion."""
    ndcg, challenger, champion = facts["ndcg"], facts["challenger"], facts["champion"]
    best = facts["best_baseline"]
    floor = ndcg[best] * (1 + limits.recommendations_min_ndcg_gain)
    gain, low, high = facts["gain"]
    words = f"NDCG@10 {ndcg['fused']:.4f}, {gain:+.4f} [{low:+.4f}, {high:+.4f}] over {best.replace('_', ' ')}"
    if challenger is None:  # the champion was measured, as nothing else was trained
        return Judgement("recommendations", "kept", champion, champion, champion, f"{words}; {facts['kept']}")
    if champion:
        words += f"; the champion has {ndcg['champion']:.4f}"
    loses = champion and ndcg["fused"] < ndcg["champion"] * (1 - limits.recommendations_max_champion_loss)
    if ndcg["fused"] > floor and not loses:
        return Judgement("recommendations", "promoted", challenger, champion, challenger, words)
    if champion and ndcg["champion"] > floor:
        return Judgement("recommendations", "kept", challenger, champion, champion, words)
    return Judgement("recommendations", "baseline", challenger, champion, None, words)


def judge_audiences(facts: dict[str, Any], limits: Thresholds) -> Judgement:
    """The response model against recency and frequency, and its calibration."""
    challenger, champion = facts.get("challenger"), facts.get("champion")
    if challenger is None or "refused" in facts:
        return Judgement("audiences", "refused", challenger or "", champion, None, facts["refused"])
    gain, low, high = facts["gain"]
    words = (
        f"AUC {facts['auc']:.3f}, {gain:+.3f} [{low:+.3f}, {high:+.3f}] over recency and frequency; "
        f"calibration error {facts['ece']:.3f}"
    )
    good = gain > limits.audiences_min_auc_gain and facts["ece"] <= limits.audiences_max_calibration_error
    if good:
        return Judgement("audiences", "promoted", challenger, champion, challenger, words)
    if champion:
        return Judgement("audiences", "kept", challenger, champion, champion, words)
    return Judgement("audiences", "refused", challenger, champion, None, words)


def judge_sentiment(facts: dict[str, Any], limits: Thresholds) -> Judgement:
    """The reader of reviews against the commonest polarity and the champion, and its calibration."""
    good = facts.get("challenger") is not None and (
        facts["gain"][0] > limits.sentiment_min_accuracy_gain
        and facts["ece"] <= limits.sentiment_max_calibration_error
        and facts["flips"] <= limits.sentiment_max_flip_rate
    )
    return _judge_reader("sentiment", facts, good, "polarity", "reviews")


def judge_answers(facts: dict[str, Any], limits: Thresholds) -> Judgement:
    """The reader of dialogues against the commonest intent and the champion, and its calibration."""
    good = facts.get("challenger") is not None and (
        facts["gain"][0] > limits.answers_min_accuracy_gain
        and facts["ece"] <= limits.answers_max_calibration_error
        and facts["flips"] <= limits.answers_max_flip_rate
    )
    return _judge_reader("answers", facts, good, "intent", "turns")


def judge_asking(facts: dict[str, Any], limits: Thresholds) -> Judgement:
    """What tells the chat's questions apart, against the commonest kind.

    A challenger is there when examples or encoder are others, so a champion that read by the last one can't go on.
    """
    good = facts.get("challenger") is not None and facts["gain"][0] > limits.answers_min_accuracy_gain
    known = facts if facts.get("challenger") is None else facts | {"champion": None}
    return _judge_reader("asking", known, good, "kind", "questions")


def judge_phrasing(facts: dict[str, Any], limits: Thresholds) -> Judgement:
    """What re-words the chat's sentences: how often it can, that it adds nothing, and against the champion."""
    challenger, champion = facts.get("challenger"), facts.get("champion")
    if challenger is None:
        return Judgement("phrasing", "kept", champion or "", champion, champion, facts["kept"])
    words = (
        f"{facts['accepted']:.1%} of sentences are re-worded, {facts['accepted_new']:.1%} of kinds never taught; "
        f"{facts['unsupported']:.2%} of these say what no fact does"
    )
    if champion:
        words += f"; {facts['flips']:.1%} of sentences that the champion re-words are not"
    good = (
        facts["accepted_new"] >= limits.phrasing_min_accepted
        and facts["unsupported"] <= limits.phrasing_max_unsupported
        and facts["flips"] <= limits.phrasing_max_flip_rate
    )
    if good:
        return Judgement("phrasing", "promoted", challenger, champion, challenger, words)
    if champion:
        return Judgement("phrasing", "kept", challenger, champion, champion, words)
    return Judgement("phrasing", "refused", challenger, champion, None, words)


def _judge_reader(model: str, facts: dict[str, Any], good: bool, told: str, texts: str) -> Judgement:
    """What serves of a reader that was found good or not; without a challenger the champion does."""
    challenger, champion = facts.get("challenger"), facts.get("champion")
    if challenger is None:
        why = facts["kept"] if champion else facts["refused"]
        return Judgement(model, "kept" if champion else "refused", champion or "", champion, champion, why)
    gain, low, high = facts["gain"]
    words = (
        f"accuracy {facts['accuracy']:.3f}, {gain:+.3f} [{low:+.3f}, {high:+.3f}] over the commonest {told}; "
        f"calibration error {facts['ece']:.3f}"
    )
    if champion:
        words += f"; {facts['flips']:.1%} of {texts} that the champion reads right are read wrong"
    if good:
        return Judgement(model, "promoted", challenger, champion, challenger, words)
    if champion:
        return Judgement(model, "kept", challenger, champion, champion, words)
    return Judgement(model, "refused", challenger, champion, None, words)
