"""What leaves has passed the copy check; a generator's words stand only where they say the same, and in one place."""

from pipeline.answering.facts import Fact, Reply, Sentence
from pipeline.answering.leaving import checked

PRICE = Sentence("“Rice” costs 0.39 USD.", (Fact("t", "1", "title", "Rice"), Fact("t", "1", "price_cents", "0.39 USD")))
WRONG = Sentence("It costs 9.99 USD.", PRICE.facts)
HELLO = Sentence("Hello!")


class Says:
    def __init__(self, text):
        self.text, self.seen = text, []

    def reword(self, sentence, question):
        self.seen.append((sentence, question))
        return self.text


def reply(*said):
    return Reply("price", "1", "en", said, 0.9)


def test_what_fails_the_check_is_left_out_or_the_chat_does_not_know():
    assert checked(reply(PRICE, WRONG), "", None).sentences == (PRICE,)
    left = checked(reply(WRONG, HELLO), "", None)
    assert left.abstained
    assert (left.confidence, left.facts) == (0.0, ())


def test_the_first_sentence_with_facts_is_reworded_alone():
    says = Says("You pay 0.39 USD for “Rice”.")
    told = checked(reply(HELLO, PRICE, PRICE), "how much", says)
    assert told.text == "Hello! You pay 0.39 USD for “Rice”. “Rice” costs 0.39 USD."
    assert says.seen == [(PRICE, "how much")]
    assert told.facts == reply(PRICE).facts


def test_words_that_say_something_else_are_not_taken():
    for text in (
        "You pay 0.40 USD for “Rice”.",
        "“Rice” does not cost 0.39 USD.",
        "",
        "“Rice”: 0.39 USD, www.pay.example",
    ):
        assert checked(reply(PRICE), "", Says(text)).sentences == (PRICE,)
