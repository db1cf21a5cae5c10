"""The list of harmful words: what it finds, what it lets be, and that every engine reads it alike."""

import re

import ibis
import pyarrow as pa
import pytest

from pipeline.feeds import harmful

FOUND = [
    "You moron",
    "MORONS!",
    "what the fuck",
    "f fucking-good",
    "piss  off",
    "Piss-off.",
    "这是狗屎",
    "bull bullshit",
    "x_shit",
]
LET_BE = [
    "Shiitake mushrooms", "Scunthorpe United scarf", "Cocktail glass", "Dick's classic assorted", "Great tit nest box",
    "Bastard file, 8 inch", "Maine coon food", "Faggots in gravy", "flame retardant", "Matsushita radio",
    "陀思妥耶夫斯基《白痴》", "废物利用", "印度支那", "", "白糖",
]  # fmt: skip


@pytest.mark.parametrize("text", FOUND)
def test_it_is_found(text: str) -> None:
    assert harmful.harmful(pa.array([text])).to_pylist() == [True]


@pytest.mark.parametrize("text", LET_BE)
def test_it_is_let_be(text: str) -> None:
    assert harmful.harmful(pa.array([text])).to_pylist() == [False]


def test_every_word_is_found_alone_and_each_engine_says_the_same() -> None:
    texts = [*harmful.words()["en"], *harmful.words()["zh"], *FOUND, *LET_BE]
    said = harmful.harmful(pa.chunked_array([texts, [None]])).to_pylist()
    rows = ibis.memtable(pa.table({"place": range(len(texts) + 1), "text": [*texts, None]}))
    by_engine = rows.select("place", bad=harmful.is_harmful(rows.text)).order_by("place").to_pyarrow()
    assert (
        by_engine.column("bad").to_pylist()
        == said
        == [*(bool(re.search(harmful.pattern(), one)) for one in texts), False]
    )
    assert all(said[: len(texts) - len(LET_BE)]) and not any(said[-len(LET_BE) - 1 :])


def test_words_are_plain() -> None:
    for language, known in harmful.words().items():
        assert len(set(known)) == len(known) >= 30
        assert all(re.fullmatch("[a-z]+( [a-z]+)*" if language == "en" else "[\u4e00-\u9fff]+", word) for word in known)
