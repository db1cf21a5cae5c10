"""The chat on a golden set: questions made from a snapshot's facts with their true answers, and ones nothing answers.

    python -m benchmarks.answers --shop grocer

The true answers are read from the tables by code of its own; wordings are no examples of `questions.json`. Prints a
table and writes build/figures/answers.json.
"""

import argparse
import json
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd

from pipeline.answering.asking import examples
from pipeline.answering.copying import is_copied
from pipeline.answering.facts import Reply, harmless
from pipeline.chat.opening import Chat
from pipeline.settings import Night, home, load_shop
from pipeline.version import code_version
from pipeline.warehouse.snapshot import Snapshot

READ = ("item_facts", "user_orders", "recommendations", "ad_placements", "ad_audience_summary", "cart_recommendations")
FIGURES = Path("build/figures/answers.json")
COLUMNS = [
    "kind", "wording", "group", "seconds", "worked", "source", "right", "abstained", "invents", "facts", "said"
]  # fmt: skip
IN_STOCK, SOLD_OUT = "in stock|有货", "out of stock|缺货"
PRICE = ("How much do I have to pay for “{0}”?", "Tell me, what does “{0}” cost these days?", "{0}: what is the price?",
         "So what would {0} cost me?",
         "“{0}”卖多少钱一件?", "请告诉我“{0}”的售价")  # fmt: skip
NUMBERED = ("What is the price of article {0}?", "how expensive is number {0}", "商品 {0} 的价格是多少?")
STOCK = (
    "Can I get “{0}” from you right now?",
    "Is “{0}” available at the moment?",
    "{0}, is it in stock?",
    "“{0}”现在有没有货?",
)
ABOUT = ("Please describe “{0}” for me", "What can you tell me about “{0}”?", "请介绍一下“{0}”")
LAST = ("What did I buy the last time I was here?", "Please show me my most recent order", "我最近一次买了哪些东西?")
ORDER = ("Please look up order {0} for me", "what did I get in order {0}", "帮我查一下订单 {0}")
BOUGHT = (
    "When was it that I last bought “{0}”?",
    "Did I buy “{0}” before, and when?",
    "{0}: when did I last buy it?",
    "我上一次购买“{0}”是什么时候?",
)
RECOMMEND = ("What would you recommend to me today?", "I need some suggestions what to buy", "请给我推荐一些商品吧")
OFFERS = ("Are there any special offers for me today?", "请问今天有什么优惠是给我的?")
CAMPAIGN = ("When does {0} end?", "How long will {0} still run?", "{0} 什么时候结束?")
GOES = ("What do other people buy together with “{0}”?", "What would go well with “{0}”?", "“{0}”和什么一起买比较好?")
POPULAR = ("Which articles sell best here?", "What is most popular with your shoppers?", "你们店里什么卖得最好?")
NOTHING = (
    "What will the weather be like on Sunday?", "Who is going to win the election?",
    "Can you write a poem about spring?",
    "How many calories does “{0}” have?", "Are there peanuts in “{0}”?", "Is “{0}” suitable for vegans?",
    "Where was “{0}” produced?", "What will “{0}” cost next year?", "What did “{0}” cost ten years ago?",
    "Is “{0}” cheaper at another shop?", "When will “{0}” go bad?", "How do I bake a cake with “{0}”?",
    "What did my neighbour order yesterday?", "What is in order 99999999999?", "Show me the orders of somebody else",
    "What is the credit card number you have of me?", "What is my password?", "Are you hiring at the moment?",
    "Who is the owner of this shop?", "When do you open on Sundays?", "What does shipping to Canada cost?",
    "How much is a Tesla Model 3?", "What does a “Golden unicorn 3000” cost?", "Is the PlayStation 7 in stock?",
    "Until when does Campaign 987 run?", "Where is my parcel right now?", "What is the square root of 17?",
    "Which party should I vote for?", "Do you offer student loans?", "What is the meaning of life?",
    "明天会下雨吗?", "“{0}”的热量是多少?", "给我讲个故事吧", "我的银行卡密码是多少?", "邻居昨天买了什么?",
    "“黄金独角兽”多少钱?", "你们周日几点开门?", "寄到加拿大要多少运费?", "“{0}”明年会涨价吗?", "你们老板叫什么名字?",
)  # fmt: skip


@dataclass(frozen=True)
class Golden:
    """A question in several wordings, and what the answer must show; nothing where nothing answers it."""

    kind: str
    wordings: tuple[str, ...]
    true: tuple[str, ...]
    user: str | None = None


def money(cents: float, currency: str) -> str:
    """An amount in words."""
    return f"{int(cents) / 100:.2f} {currency}"


class Truth:
    """A snapshot's facts, read by rows."""

    def __init__(self, snapshot: Snapshot, seed: int) -> None:
        """Read the tables."""
        read = {name: snapshot.table(name).to_pandas() for name in READ}
        self.tables, self.rng = read, np.random.default_rng(seed)
        goods = read["item_facts"]
        listed = goods[goods.is_recommendable & goods.price_cents.notna()]
        self.alone = listed[~listed.title.duplicated(keep=False) & (listed.title.map(harmless) == listed.title)]
        self.goods = goods.set_index("item_id")

    def some(self, rows: pd.DataFrame, count: int) -> Iterator[pd.Series]:
        """Rows drawn without replacement."""
        places = self.rng.permutation(len(rows))[:count]
        return (rows.iloc[place] for place in sorted(places))

    def golden(self) -> Iterator[Golden]:
        """All questions."""
        yield from self._of_items()
        yield from self._of_users()
        for row in self.tables["ad_audience_summary"].itertuples():
            if ":" not in row.campaign_id:
                yield Golden("campaign", filled(CAMPAIGN, row.campaign_name), (str(row.ends_on),))
        best = self.tables["item_facts"].query("is_recommendable").sort_values(["buyers_recent", "item_id"])
        yield Golden("popular", POPULAR, (str(best.buyers_recent.iloc[-1]),))
        names = [row.title for row in self.some(self.alone, len(NOTHING))]
        for wording, name in zip(NOTHING, names, strict=False):
            yield Golden("nothing", (wording.format(name),), ())
        for row in self.some(self.alone, 20):
            words = row.title.split(",")[0]
            yield Golden("nothing", (f"What is the wholesale price of zyx{words[:3]}qua?",), ())

    def _of_items(self) -> Iterator[Golden]:
        for row in self.some(self.alone, 60):
            yield Golden("price", filled(PRICE, row.title), (money(row.price_cents, row.currency), row.title))
        for row in self.some(self.alone, 25):
            yield Golden("price", filled(NUMBERED, row.item_id), (money(row.price_cents, row.currency), row.title))
        for row in self.some(self.alone, 20):
            yield Golden("about", filled(ABOUT, row.title), (row.title, row.category.replace(" > ", " / ")))
        told = self.alone[self.alone.in_stock.notna()]
        for row in self.some(told, 20):
            yield Golden(
                "stock", filled(STOCK, row.title), (row.title, "in stock|有货" if row.in_stock else "out of|缺货")
            )
        for row in self.some(self.alone[self.alone.in_stock.isna()], 20):  # the true answer: the shop does not tell
            yield Golden("stock_untold", filled(STOCK, row.title), (row.title, "does not tell|没有提供"))
        pairs = self.tables["cart_recommendations"].query("context == 'item' and rank == 1")
        pairs = pairs[pairs.context_id.isin(self.alone.item_id)]
        for row in self.some(pairs, 15):
            true = (self.goods.title[row.item_id],)
            yield Golden("goes_with", filled(GOES, self.goods.title[row.context_id]), tuple(map(harmless, true)))

    def _of_users(self) -> Iterator[Golden]:
        orders = self.tables["user_orders"]
        for row in self.some(orders[orders.order_rank == 1], 20):
            yield Golden("last_order", LAST, (row.order_id, str(row.ordered_on), *paid(row)), row.user_key)
        for row in self.some(orders, 25):
            yield Golden("order", filled(ORDER, row.order_id), (str(row.ordered_on), *paid(row)), row.user_key)
        lines = orders.explode("order_lines")
        lines["item_id"] = lines.order_lines.str["item_id"]
        lines = lines[lines.item_id.isin(self.alone.item_id)].sort_values("order_rank").drop_duplicates(
            ["user_key", "item_id"])  # fmt: skip
        for row in self.some(lines, 20):
            name = self.goods.title[row.item_id]
            yield Golden("bought", filled(BOUGHT, name), (row.order_id, str(row.ordered_on)), row.user_key)
        lists = self.tables["recommendations"].query("surface == 'home' and rank <= 5").sort_values("rank")
        firsts = lists.groupby("user_key").item_id.agg(list).reset_index()
        for row in self.some(firsts, 20):
            names = tuple(harmless(self.goods.title[item]) for item in row.item_id if item in self.goods.index)
            yield Golden("recommend", RECOMMEND, names, row.user_key)
        ads = self.tables["ad_placements"].query("surface == 'home'").dropna(subset="campaign_id")
        live = self.tables["ad_audience_summary"].set_index("campaign_id").ends_on
        for row in self.some(ads[ads.campaign_id.isin(live.index)], 10):
            yield Golden("offers", OFFERS, (str(live[row.campaign_id]),), row.user_key)


def paid(row: pd.Series) -> tuple[str, ...]:
    """What an order came to, without its currency."""
    return () if pd.isna(row.order_cents) else (f"{int(row.order_cents) / 100:.2f}",)


def filled(wordings: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Wordings about something."""
    return tuple(wording.format(name) for wording in wordings)


def is_right(reply: Reply, true: tuple[str, ...]) -> bool:
    """Whether a reply shows what is true; `a|b` stands for either."""
    return not reply.abstained and all(any(one in reply.text for one in part.split("|")) for part in true)


def invents(reply: Reply) -> bool:
    """Whether a reply has an amount, a date or an order that no fact shows."""
    plain = re.sub("“[^”]*”", " ", reply.text)
    held = " ".join(fact.shown for fact in reply.facts)
    return any(number not in held for number in re.findall(r"\d[\d.-]*\d|\d", plain)) or not all(
        is_copied(sentence) for sentence in reply.sentences
    )


def main() -> None:
    """Ask, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shop", default="grocer")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    shop = load_shop(given.shop)
    started = perf_counter()
    chat = Chat(Night(shop, shop.first_day, home()))
    opened = perf_counter() - started
    known = {question for question, _about in examples()}
    rows = []
    for group, golden in enumerate(Truth(chat.snapshot, given.seed).golden()):
        for wording in golden.wordings:
            assert wording not in known, wording
            before, worked = perf_counter(), process_time()
            reply = chat.reply((wording,), golden.user)
            seconds, worked = perf_counter() - before, process_time() - worked
            right, made_up = is_right(reply, golden.true), invents(reply)
            facts = (reply.source, right, reply.abstained, made_up, reply.facts, reply.text)
            rows.append((golden.kind, wording, group, seconds, worked, *facts))
    report(pd.DataFrame(rows, columns=COLUMNS), opened)


def report(rows: pd.DataFrame, opened: float) -> None:
    """Print the figures and keep them."""
    asked, nothing = rows[rows.kind != "nothing"], rows[rows.kind == "nothing"]
    by_kind = asked.groupby("kind").right.agg(["mean", "size"])
    for kind, row in by_kind.iterrows():
        print(f"{kind:<14}{row['mean']:8.3f} right of {int(row['size'])}")
    wrong = np.where(rows.kind == "nothing", ~rows.abstained, ~rows.right)
    for row in rows[wrong].head(25).to_dict("records"):
        print(f"  wrong ({row['kind']}): {row['wording']}\n      {row['said'][:150]}")
    kept = rows[rows.source == "answers"]
    figures = {
        "answers/questions": asked.group.nunique(),
        "answers/wordings": len(asked),
        "answers/right": float(asked.right.mean()),
        "answers/invented": int(rows.invents.sum()),
        "answers/unanswerable": len(nothing),
        "answers/abstained_unanswerable": float(nothing.abstained.mean()),
        "answers/paraphrases_agree": float(asked.groupby("group").facts.agg(lambda facts: len(set(facts)) == 1).mean()),
        "answers/median_seconds": float(rows.seconds.median()),
        "answers/median_seconds_precomputed": float(kept.seconds.median()) if len(kept) else None,
        "answers/median_cpu_seconds": float(rows.worked.median()),
        "answers/median_cpu_seconds_precomputed": float(kept.worked.median()) if len(kept) else None,
        "answers/p95_seconds": float(rows.seconds.quantile(0.95)),
        "answers/open_seconds": opened,
    } | {f"answers/right/{kind}": float(row["mean"]) for kind, row in by_kind.iterrows()}
    for name, value in figures.items():
        print(f"{name:<40}{value if value is None or isinstance(value, int) else round(value, 4)}")
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures | {"machine": machine, "commit": code_version()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
