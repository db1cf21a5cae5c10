"""Values as they are shown, and text that nothing can turn into a link, an image or markup."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answering.facts import Fact, Reply, Sentence, harmless, is_harmless, joined, money, shown

HOSTILE = [
    "http://evil.example/x?q=1", "https://a.b", "see www.evil.com now", "javascript:alert(1)",
    "data:text/html;base64,x",
    "mail me at a@b.example", "<img src=x onerror=y>", "<script>", "![x](http://evil.example/a.png)", "[click](/here)",
    "[click][ref]", "evil.com/path", "hxxp://evil.example", "ht\u200btp://evil.example", "&lt;b&gt;",
    "ｈｔｔｐ：／／ｅ．ｃｏ",
    "<<b>script>x", "[a](b](c)", "`rm -rf`", "evil\u2024com", "//evil.com/x",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_cleaned_holds_no_address_and_no_markup(text):
    clean = harmless(f"Milk {text} 1 ga")
    assert is_harmless(clean), clean
    assert clean.startswith("Milk")


@pytest.mark.parametrize("text", HOSTILE)
def test_the_check_sees_what_the_cleaning_takes(text):
    assert harmless(text) != text


@given(st.text(alphabet=st.sampled_from(list("ab.:/<>[]()!@&;`htpw \u200b\u2024#*_'\"“”1")), max_size=40))
def test_cleaning_ends_and_cleaning_again_changes_nothing(text):
    clean = harmless(text)
    assert harmless(clean) == clean
    assert is_harmless(clean)


@pytest.mark.parametrize("text", ["Dr Pepper, 12 oz", "Cheese: sliced 3.5 oz", "10/6.75 oz (bulk&bag)", "什锦 1.5 升"])
def test_names_of_goods_stay_as_they_are(text):
    assert harmless(text) == text


def test_long_text_is_cut():
    assert harmless("x" * 400) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("price_cents", 5, "0.05 USD"), ("price_cents", 123456, "1234.56 USD"), ("in_stock", True, "yes"),
        ("ends_on", date(2017, 1, 2), "2017-01-02"), ("share", 0.256, "26 %"), ("mentions", 7, "7"),
        ("category", "DRUG > SOAP", "DRUG / SOAP"),
        ("brand", None, ""),
    ],
)  # fmt: skip
def test_values_are_shown_in_one_way(column, value, words):
    assert shown(column, value, "USD") == words


def test_negative_amounts_keep_their_sign():
    assert (money(-105, "EUR"), money(0, None)) == ("-1.05 EUR", "0.00")


def test_a_reply_joins_its_sentences_and_names_each_fact_once():
    fact = Fact("t", "k", "c", "v")
    said = (Sentence("One.", (fact,)), Sentence("Two.", (fact,)))
    reply = Reply("price", "k", "en", said, 1.0)
    assert (reply.text, reply.facts) == ("One. Two.", (fact,))
    assert joined(said, "zh") == "One.Two."
