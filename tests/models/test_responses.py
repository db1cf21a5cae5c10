"""What fits what was said: BM25 against its formula, and a ranker that learns what goes with what."""

from math import log1p

import numpy as np
import pytest

from pipeline.errors import NoData
from pipeline.models import responses
from pipeline.record import JsonRecorder

QUESTIONS = {
    "stock": "yes we have it",
    "price": "ten coins each",
    "post": "we send by mail",
    "back": "return in a week",
}
ANSWERED = [
    ((f"hello {n}", "hi", f"{word} {word} {word}"), answer) for n in range(20) for word, answer in QUESTIONS.items()
]


def brute(query, documents):
    """BM25 as it is written, one term at a time."""
    split = [responses.pieces(one) for one in documents]
    mean = sum(map(len, split)) / len(split)
    out = []
    for words in split:
        total = 0.0
        for term in set(responses.pieces(query)) & set(words):
            held = sum(term in other for other in split)
            count = words.count(term)
            room = 1.2 * (0.25 + 0.75 * len(words) / mean)
            total += log1p((len(split) - held + 0.5) / (held + 0.5)) * count * 2.2 / (count + room)
        out.append(total)
    return out


def test_bm25_is_its_formula():
    documents = ["a b b c", "c", "d e f", "包邮 的 a"]
    for query in ("a b", "c c", "包 的", "zzz"):
        assert responses.bm25([query], documents)[0] == pytest.approx(brute(query, documents))


def test_exchanges_are_the_turns_of_who_answers():
    found = responses.exchanges([(("u1", "a1", "u2"), "a2"), (("u1", "a1", "u2"), "a2")])
    assert found == [(("u1",), "a1"), (("u1", "a1", "u2"), "a2")]


def test_candidates_hold_the_answer_once_where_it_says():
    held = [(context, answer) for context, answer in ANSWERED[:8]]
    pool = [*QUESTIONS.values(), *(f"other {n}" for n in range(9))]
    asked, candidates, right = responses._lots(held, pool, 0)
    assert asked == [context for context, _ in held]
    lots = np.array(candidates, dtype=object).reshape(8, responses.CANDIDATES)
    for lot, place, (_, answer) in zip(lots, right, held, strict=True):
        assert lot[place] == answer
        assert len(set(lot)) == responses.CANDIDATES


def test_it_learns_what_goes_with_what(tiny_bert, tmp_path):
    answered = ANSWERED + [((f"hello {n}", "hi", f"{n}"), f"other {n}") for n in range(20)]
    rates = responses.SETTINGS.training.model_copy(update={"steps": 30, "learning_rate": 3e-3})
    settings = responses.SETTINGS.model_copy(
        update={"checkpoint": f"path:{tiny_bert}", "trained_layers": 1, "training": rates, "max_tokens": 16}
    )
    ranker = responses.learn(
        answered,
        settings,
        home=tmp_path,
        folder=tmp_path / "run",
        seed=0,
        recorder=JsonRecorder(tmp_path / "notes"),
        progress=lambda *_: None,
    )
    asked = [("hello 50", "hi", f"{word} {word} {word}") for word in QUESTIONS]
    context = np.repeat(np.arange(4), 4)
    scores = ranker.scores(asked, context, list(QUESTIONS.values()) * 4)
    assert set(scores) == {"fused", "BM25", "frozen encoder", "tuned encoder", "like cases"}
    assert (scores["fused"].reshape(4, 4).argmax(1) == np.arange(4)).mean() >= 0.75
    assert (scores["BM25"] == 0).all()  # no words are shared: what goes with what was learned


def test_too_few_dialogues_are_said(tmp_path):
    with pytest.raises(NoData, match="too few"):
        responses.learn(
            ANSWERED[:3],
            responses.SETTINGS,
            home=tmp_path,
            folder=tmp_path,
            seed=0,
            recorder=JsonRecorder(tmp_path / "notes"),
            progress=lambda *_: None,
        )
