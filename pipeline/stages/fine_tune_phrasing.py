"""Tune what re-words the chat's sentences and measure it against the templates, where the shop asks for a generator.

What it is taught are templates and their wordings; a night on which these are as they were trains nothing. It is
measured on sentences of tonight's own articles: how many it can re-word, and whether any says what no fact does. Kinds
of sentences that were not taught are told apart. Nothing of users is read.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from pipeline.answering import rewording
from pipeline.answering.copying import rewords
from pipeline.answering.facts import Sentence, shown
from pipeline.answering.rewording import Rewording
from pipeline.learning import champions, checkpoints
from pipeline.metrics import intervals
from pipeline.models import phrasing
from pipeline.models.phrasing import NAME
from pipeline.models.sentiment import drawn
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk

HELD_SHARE = 0.2  # of the kinds of sentences teach nothing
GOODS = 40  # articles that each kind is measured on
# Of what no catalogue holds; every value differs from every other.
PLAIN = {
    "price": "3.49 USD", "low": "1.09 USD", "high": "7.99 USD", "total": "42.17 USD", "mentions": "31",
    "positive": "25", "negative": "4", "buyers": "18", "pieces": "2", "order": "30000471", "day": "2017-03-14",
    "starts": "2017-03-02", "ends": "2017-04-09", "campaign": "Campaign 7", "reason": "You bought it 8 times",
    "summary": "Shops often, mostly on Saturdays", "document": "Returns", "passage": "Unopened goods may come back.",
    "brand": "Private", "size": "6 oz", "category": "GROCERY / CANNED GOODS",
}  # fmt: skip


def run(night: Night, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Train, measure, keep the version."""
    settings, champion = night.shop.chat, desk.champion(night, NAME)
    facts: dict[str, Any] = {"champion": champion}
    pairs = rewording.pairs()
    lessons = hashlib.sha256(json.dumps([settings.generator, pairs], sort_keys=True).encode()).hexdigest()
    before = champions.folder(night.models, NAME, champion) if champion and settings.generator else None
    if not settings.generator:
        facts |= {"no_input": "the shop names no generator: templates alone speak"}
    elif before and champions.config(before)["lessons"] == lessons:
        facts |= {"kept": "templates and wordings are as they were when it was taught"}
    else:
        version, aside = _train(night, pairs, lessons, recorder, progress)
        known = champions.read_json(before / phrasing.BOOK) if before else {}
        book = champions.read_json(champions.folder(night.models, NAME, version) / phrasing.BOOK)
        facts |= {"challenger": version, "held": aside} | _measure(night, book, aside, known, recorder)
    desk.note(night, f"measured-{NAME}", facts)
    return facts


def held(names: Sequence[str]) -> list[str]:
    """The kinds of sentences that teach nothing, drawn by their names."""
    return sorted(names, key=drawn)[: max(1, round(HELD_SHARE * len(names)))]


def _train(
    night: Night,
    pairs: Mapping[str, list[phrasing.Pair]],
    lessons: str,
    recorder: JsonRecorder,
    progress: desk.Progress,
) -> tuple[str, list[str]]:
    """The version, and the kinds of sentences that taught it nothing."""
    settings, folder = night.shop.chat, desk.checkpoints(night, NAME)
    aside = held(sorted(pairs))
    model = phrasing.learn(
        [pair for name, said in pairs.items() if name not in aside for pair in said],
        [pair for name in aside for pair in pairs[name]],
        checkpoints.resolve(settings.generator, night.home),
        phrasing.RATES,
        work=folder,
        seed=night.shop.seed,
        recorder=recorder,
        progress=progress,
    )
    started = perf_counter()
    book = {frame: model.write(frame) for frame in sorted(set(rewording.frames().values()))}
    recorder.metrics({"phrasing/seconds_a_wording": (perf_counter() - started) / len(book)})
    version = champions.keep(night.models, NAME, lambda to: model.save(to, settings.generator, lessons, book))
    shutil.rmtree(folder, ignore_errors=True)
    desk.tell_version(recorder, night, NAME, version)
    desk.tell_lesson(recorder, night, NAME, version)
    return version, aside


def _measure(
    night: Night, book: Mapping[str, str], aside: Sequence[str], known: Mapping[str, str], recorder: JsonRecorder
) -> dict[str, Any]:
    """Shares of sentences, and of the re-worded ones those that say more than their facts."""
    taught = set(rewording.pairs()) - set(aside)
    rows = [
        (kind in taught, original, _taken(book, original), bool(known) and _taken(known, original) is not None)
        for kind, original in sentences(desk.catalogue(night).to_pylist())
    ]
    new, accepted, champion = (
        np.array(column)
        for column in ([not one[0] for one in rows], [one[2] is not None for one in rows], [one[3] for one in rows])
    )
    said = [(original, text) for _, original, text, _ in rows if text is not None]
    measured = {
        "accepted": intervals.bootstrap_mean(accepted.astype(float), seed=night.shop.seed),
        "accepted_new": intervals.bootstrap_mean(accepted[new].astype(float), seed=night.shop.seed),
    }
    figures = {name: value[0] for name, value in measured.items()}
    figures["unsupported"] = sum(adds(text, original) for original, text in said) / max(len(said), 1)
    figures["flips"] = float((champion & ~accepted).sum() / max(champion.sum(), 1))
    ends = {f"{name}_{end}": value[at] for name, value in measured.items() for at, end in ((1, "low"), (2, "high"))}
    recorder.metrics({f"phrasing/{name}": value for name, value in (figures | ends).items()})
    return figures | {"sentences": len(rows)}


def sentences(catalogue: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Sentence]]:
    """Kinds of sentences of a catalogue's first articles, filled with their values where it has them."""
    goods = [row for row in catalogue[: 2 * GOODS] if shown("title", row["title"])][:GOODS]
    for row in goods:
        own = {slot: told for slot in ("title", "brand", "category") if (told := shown(slot, row[slot]))}
        values = PLAIN | own | {"cheap": own["title"], "dear": shown("title", goods[0]["title"])}
        for name in sorted(rewording.frames()):
            yield name, rewording.example(name, values)


def _taken(book: Mapping[str, str], original: Sentence) -> str | None:
    """The wording that the chat would use; None where it keeps the template."""
    text = Rewording(lambda frame: book.get(frame, "")).reword(original, "")
    return text if text != original.text and rewords(text, original) else None


def adds(text: str, original: Sentence) -> bool:
    """Whether a text has a number or a name beside its facts, counted apart from the copy check."""
    rest = text
    for fact in sorted(original.facts, key=lambda fact: -len(fact.shown)):
        rest = rest.replace(fact.shown, " ", 1)
    names = set(re.findall(r"(?<=[a-z,:] )[A-Z][a-z]+", rest)) - set(original.text.split())
    return bool(re.search(r"\d", rest) or names)
