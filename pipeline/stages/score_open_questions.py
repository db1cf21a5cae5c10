"""Stage the open_questions table: what users asked in dialogues that ended without an answer."""

import hashlib
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.feeds import USER
from pipeline.contracts.tables import OPEN_QUESTIONS
from pipeline.learning import champions, checkpoints
from pipeline.models import intents, turn_intents
from pipeline.models.encoder import EmbeddingCache, Encoder
from pipeline.models.intents import IntentReader
from pipeline.models.open_questions import SMALL_TALK, Questions, groups
from pipeline.models.turn_intents import NAME
from pipeline.settings import Night
from pipeline.stages import desk, dialogue_inputs
from pipeline.tables import open_questions as table
from pipeline.warehouse.staging import Staging

SURE = 0.5  # probability from which a turn is small talk; of a question that is like no example each intent has some
EMPTY = "no question was asked by enough people and left without an answer"


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Group the questions by their vectors under the pretrained encoder, so that groups do not move with its tuning."""
    turns = dialogue_inputs.turns(night)
    asked = unanswered(turns, night) if turns is not None else []
    rows = _grouped(night, asked) if asked else OPEN_QUESTIONS.schema.empty_table()
    file = staging.write(OPEN_QUESTIONS, rows)
    progress(1, 1)
    return {"rows": {file.name: file.rows}, "empty": EMPTY, "metrics": {"questions/unanswered": len(asked)}}


def unanswered(turns: pa.Table, night: Night) -> list[dict[str, Any]]:
    """Turns of users in dialogues whose last word on it is that they were not resolved, newest first, no small talk."""
    since = night.day - timedelta(night.shop.questions.days)
    said = turns.filter(pc.is_valid(turns.column("is_resolved")))
    last = dict(zip(said.column("dialogue_id").to_pylist(), said.column("is_resolved").to_pylist(), strict=True))
    found = [
        row
        for row in turns.select(["dialogue_id", "speaker", "utterance", "user_key", "day"]).to_pylist()
        if row["speaker"] == USER and last.get(row["dialogue_id"]) is False and row["day"] > since
    ]
    common = intents.common()
    chance = common.probabilities([row["utterance"] for row in found])
    places = [place for place, name in enumerate(common.classes) if name in SMALL_TALK]
    small = (chance[:, places].sum(1) >= SURE).tolist()
    return [row for row, is_small in zip(found, small, strict=True) if not is_small][::-1]


def _grouped(night: Night, asked: list[dict[str, Any]]) -> pa.Table:
    settings = night.shop.questions
    names = [hashlib.sha256(row["utterance"].encode()).hexdigest() for row in asked]
    kept = list(dict.fromkeys(names))[: settings.read]
    texts = {name: row["utterance"] for name, row in zip(names, asked, strict=True)}
    checkpoint = night.shop.reader.checkpoint
    cache = EmbeddingCache(night.embeddings, f"questions-{hashlib.sha256(checkpoint.encode()).hexdigest()[:12]}")
    body = checkpoints.resolve(checkpoint, night.home)
    vectors = cache.vectors(
        kept, [texts[name] for name in kept], lambda: Encoder(body, night.shop.reader.max_tokens).eval()
    )
    place = dict(zip(kept, groups(vectors).tolist(), strict=True))
    rows = [row for row, name in zip(asked, names, strict=True) if name in place]
    group = np.array([place[name] for name in names if name in place], np.int64)
    reader = _reader(night)
    told = reader.probabilities([texts[name] for name in kept]).argmax(1)
    wanted = {name: reader.classes[int(one)] for name, one in zip(kept, told, strict=True)}
    questions = Questions(
        [row["utterance"] for row in rows], [row["user_key"] or f"dialogue {row['dialogue_id']}" for row in rows]
    )
    days = [row["day"] for row in rows]
    return table.rows(questions, group, [wanted[name] for name in names if name in place], days, settings.min_askers)


def _reader(night: Night) -> IntentReader:
    """The shop's own reader where one serves, else that of common intents."""
    version = desk.noted(night, "judgement").get(NAME, {}).get("serves")
    if version is None:
        return intents.common()
    return turn_intents.load(champions.folder(night.models, NAME, version), night.home)
