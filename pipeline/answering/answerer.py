"""From a talk to one grounded reply: understand, look up, say; abstain where any of these is not sure.

What a turn leaves open (the article, or what is asked of it) is taken from the turns before. Every sentence passes the
copy check before it leaves, or the chat says that it does not know. Not here: who the user is, and how talk arrives.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.answering import days
from pipeline.answering import words as phrases
from pipeline.answering.asking import Asking, language_of
from pipeline.answering.facts import SHOP, Handover, Reply, Sentence
from pipeline.answering.goods import Goods, Mention
from pipeline.answering.kinds import Kinds
from pipeline.answering.leaving import Generator, checked
from pipeline.answering.library import Library
from pipeline.answering.meaning import Meaning
from pipeline.answering.search import words
from pipeline.answering.shelf import Shelf
from pipeline.answering.tools import Account, Order, Row, Shop
from pipeline.answering.words import say

if TYPE_CHECKING:
    from pipeline.models.intents import IntentReader

LONGEST_QUESTION, MOST_TURNS = 500, 12
SURE = 0.3  # least probability of what is asked
OF_ITEMS = ("price", "stock", "about", "opinion", "goes_with", "bought")
OF_ORDERS = ("last_order", "orders", "order")
OF_USERS = (*OF_ORDERS, "bought", "offers", "recommend", "profile")
POINTING = re.compile(r"(?i)\b(?:it|its|that|this|them|they|one|those|these)\b|它|这个|那个|这件|那件|这款")
# Corrections: another of what was offered, what is not meant, and a name that takes the place of the last one.
OTHER = re.compile(r"(?i)\b(?:the other|another|the second) one\b|另一个|另外一个|第二个")
INSTEAD = re.compile(r"(?i)\binstead of [^,.;?!]*|不是[^,，。??]*[,，]\s*(?:而)?是")
CORRECTS = re.compile(r"(?i)^\s*(?:no|nope|sorry|wait)\b|\bi mean(?:t)?\b|我是说|^不对|^不是")
# A turn that names something and asks nothing of it, its names masked.
BARE = re.compile(r"(?i)(?:(?:and|or|what about|how about|then|the|an?|ones?|please|item|那|呢|还有)[^\w]*)+")
REMEMBERED = 1000  # turns understood


@dataclass(frozen=True)
class Understood:
    """One turn as it was understood.

    Attributes:
        asked: what is asked.
        confidence: of that.
        mention: the articles named, in this turn or one before.
        day: that is named in this turn; of orders those of that day are meant.
        question: as asked.
        language: en or zh.
    """

    asked: str
    confidence: float
    mention: Mention
    question: str
    language: str
    day: date | None = None


class Answerer:
    """Answers from one snapshot."""

    def __init__(
        self,
        shop: Shop,
        today: date,
        *,
        meaning: Meaning | None = None,
        kinds: Kinds | None = None,
        shelf: Shelf | None = None,
        generator: Generator | None = None,
        reader: "IntentReader | None" = None,
    ) -> None:
        """Index what can be asked for.

        Args:
            shop: what anybody may know.
            today: the business day that `yesterday` is counted from.
            meaning: the night's encoder; None understands by words alone.
            kinds: of questions, as learned by night with that encoder; learned now when left out.
            shelf: precomputed answers.
            generator: re-words facts; templates alone where left out.
            reader: of the shop's own intents, as judged by night.
        """
        self.shop, self.today, self.generator = shop, today, generator
        self.goods, self.asking = Goods(shop, meaning), Asking(kinds, meaning, reader)
        self.library = Library(shop.documents, meaning)
        self.shelf = shelf or Shelf({})
        self._heard = lru_cache(maxsize=REMEMBERED)(self._talk)  # a talk is asked about turn by turn

    def warm(self) -> None:
        """Open now what a question would else wait for: the encoder, and vectors of items."""
        self.asking.of("")
        _ = self.goods.vectors

    def reply(self, turns: Sequence[str], account: Account | None = None) -> Reply:
        """Answer the last turn of a talk.

        Args:
            turns: what the user said, oldest first; earlier turns are read for what the last leaves open.
            account: the signed-in user's rows; None for a guest.
        """
        question = " ".join(turns[-1].split()) if turns else ""
        language = language_of(question)
        if not question or len(question) > LONGEST_QUESTION:
            sentence = say("too_long" if question else "blank", language)
            return Reply("outside", SHOP, language, (sentence,), 0.0, abstained=True)
        understood = self._heard(tuple(turn for turn in turns[-MOST_TURNS:] if len(turn) <= LONGEST_QUESTION))
        return checked(self._answered(understood, account), question, self.generator)

    def _talk(self, turns: tuple[str, ...]) -> Understood:
        before = self._heard(turns[:-1]) if len(turns) > 1 else None
        return self.understood(turns[-1], before)

    def understood(self, question: str, before: Understood | None = None) -> Understood:
        """One turn, with what it leaves open filled in from the turn before."""
        meant = days.plain(INSTEAD.sub(" ", question))
        masked = self.goods.masked(meant)
        asked, mention = self.asking.of(masked, question), self.goods.mentioned(meant)
        about, confidence, day = asked.about, asked.confidence, days.named(question, self.today)
        if mention.items and BARE.fullmatch(masked):
            about, confidence = "about", mention.coverage  # nothing is asked of it yet
        told, said = language_of(question), question
        if before is not None:
            mention = self.goods.narrowed(meant, before.mention) or mention
            points = not mention.said or (POINTING.search(question) is not None and not mention.items)
            corrects = CORRECTS.search(question) is not None or BARE.fullmatch(masked) is not None
            if OTHER.search(question) and before.mention.items and before.asked in OF_ITEMS:
                about, confidence, mention = before.asked, before.confidence, before.mention.others
            elif points and about in ("price", "about") and before.asked in OF_ORDERS:
                about, confidence, day = before.asked, before.confidence, before.day
                said = f"{before.question} {question}"  # which has the number of the order
            elif points and about in OF_ITEMS:
                mention = before.mention
            elif mention.items and (confidence < SURE or corrects) and before.asked in OF_ITEMS:
                about, confidence = before.asked, before.confidence
        if about == "last_order" and mention.items:
            about = "bought"  # of an article it is the last time that is asked for
        return Understood(about, confidence, mention, said, told, day)

    def _answered(self, turn: Understood, account: Account | None) -> Reply:
        if turn.asked in ("outside", "policy") or turn.confidence < SURE:
            return self._from_documents(turn)
        if turn.asked in OF_ITEMS:
            return self._of_item(turn, account)
        if turn.asked in OF_USERS:
            return self._of_user(turn, account)
        return self._of_shop(turn)

    # What anybody may ask

    def _of_shop(self, turn: Understood) -> Reply:
        if turn.asked == "popular":
            return self.shelf.popular(self.shop, turn.language)
        if turn.asked == "campaign":
            return self._campaigns(turn)
        if turn.asked == "delivery":
            return replace(
                _reply(turn, [say("delivery_untold", turn.language)], abstained=True),
                handover=_handover(turn, "order_problem"),
            )
        if turn.asked == "person":
            return replace(_reply(turn, [say("person", turn.language)]), handover=_handover(turn, "asked_for_a_person"))
        return _reply(turn, [say(turn.asked, turn.language)])

    def _campaigns(self, turn: Understood) -> Reply:
        held = set(words(turn.question))
        named = [row for row in self.shop.campaigns if set(words(row["campaign_name"])) <= held]
        asks_for_one = any(word.isdigit() for word in held)
        found = named or ([] if asks_for_one else self.shop.campaigns)
        if not found:
            return _reply(turn, [say("campaigns_none", turn.language)], abstained=asks_for_one)
        if len(found) == 1:
            return self.shelf.campaign(found[0], turn.language)
        return _reply(turn, [phrases.campaign(row, turn.language) for row in found])

    def _from_documents(self, turn: Understood) -> Reply:
        found = self.library.find(turn.question, self.goods.other_words(turn.question))
        if found is None:
            unknown = _reply(turn, [say("unknown", turn.language)], abstained=True)
            return replace(unknown, handover=_handover(turn, "cannot_answer"))
        title = found.document.fact("document_title")
        sentence = say("passage", turn.language, document=title, passage=found.fact)
        return Reply("policy", found.document.key, turn.language, (sentence,), round(found.confidence, 6))

    # What is asked of an article

    def _of_item(self, turn: Understood, account: Account | None) -> Reply:
        language, items = turn.language, turn.mention.items
        if not items:
            return self._no_such(turn)
        if turn.asked == "bought":
            return self._bought(turn, account)
        if turn.asked == "price" and len({row["price_cents"] for row in items} - {None}) > 1:
            return _reply(turn, [phrases.price_span(items, language)])
        if not turn.mention.is_one:
            titles = list(dict.fromkeys(row["title"] for row in items))[:3]
            first = {row["title"]: row for row in reversed(items)}
            return _reply(turn, [say("which", language, title=first[one].fact("title")) for one in titles])
        if turn.asked == "goes_with":
            return _reply(turn, phrases.goes_with(items[0], self.shop.goes_with(items[0].key), language), items[0].key)
        return self.shelf.of_item(self.shop, turn.asked, items[0], language)

    def _no_such(self, turn: Understood) -> Reply:
        if turn.mention.guess is not None:
            said = [say("which", turn.language, title=turn.mention.guess.fact("title"))]
        else:
            said = [say("which_none", turn.language)]
        return _reply(turn, said, abstained=True)

    def _bought(self, turn: Understood, account: Account | None) -> Reply:
        if account is None:
            return _reply(turn, [say("sign_in", turn.language)], abstained=True)
        found = account.last_with(frozenset(row.key for row in turn.mention.items))
        if found is None:
            return _reply(turn, [say("bought_not", turn.language)])
        order, item = found
        facts = {"day": order.row.fact("ordered_on"), "order": order.row.fact("order_id")}
        return _reply(turn, [say("bought", turn.language, title=item.fact("title"), **facts)], item.key)

    # What users may ask of themselves

    def _of_user(self, turn: Understood, account: Account | None) -> Reply:
        if account is None:
            return _reply(turn, [say("sign_in", turn.language)], abstained=True)
        tools: Mapping[str, Callable[[Understood, Account], list[Sentence]]] = {
            "last_order": _last_order,
            "orders": _orders,
            "order": _one_order,
            "offers": lambda turn, mine: phrases.offers(mine.offers(), turn.language),
            "recommend": lambda turn, mine: phrases.recommended(mine.recommended(), turn.language),
            "profile": lambda turn, mine: phrases.profile(mine.profile(), turn.language),
        }
        tool = _orders_of_a_day if turn.day and turn.asked in OF_ORDERS else tools[turn.asked]
        return _reply(turn, tool(turn, account))


def _last_order(turn: Understood, account: Account) -> list[Sentence]:
    orders = account.orders
    return phrases.order(orders[0], turn.language) if orders else [say("orders_none", turn.language)]


def _orders(turn: Understood, account: Account) -> list[Sentence]:
    return phrases.orders(account.orders, turn.language)


def _one_order(turn: Understood, account: Account) -> list[Sentence]:
    found = _numbered(turn, account)
    return [say("order_unknown", turn.language)] if found is None else phrases.order(found, turn.language)


def _numbered(turn: Understood, account: Account) -> Order | None:
    tokens = re.findall(r"[\w-]+", turn.question)
    return next((order for token in tokens if (order := account.order(token)) is not None), None)


def _orders_of_a_day(turn: Understood, account: Account) -> list[Sentence]:
    numbered = _numbered(turn, account)
    found = (
        [order for order in account.orders if order.row["ordered_on"] == turn.day] if numbered is None else [numbered]
    )
    said = [sentence for order in found for sentence in phrases.order(order, turn.language)]
    return said or [say("order_none_then", turn.language)]


def _reply(turn: Understood, said: Sequence[Sentence], subject: str = SHOP, *, abstained: bool = False) -> Reply:
    confidence = 0.0 if abstained else turn.confidence
    return Reply(turn.asked, subject, turn.language, tuple(said), round(confidence, 6), abstained)


def _handover(turn: Understood, why: str) -> Handover:
    named: Row | None = turn.mention.items[0] if turn.mention.items else None
    article = f"; article {named.key}, {named.fact('title').shown}" if named else ""
    return Handover(why, f"asked about: {turn.asked}; language: {turn.language}{article}")
