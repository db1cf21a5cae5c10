"""Answers counted again: each fact is looked up in its staged table, each number and name of an answer in its facts.

And where the facts of last night's answer hold tonight, and tonight's held then, both are by the same facts; and what
the chat understood then it understands now. No code of the chat: rows are joined, values are worded here.
Not here: what is answered and understood (`answering`).
"""

import re
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from pipeline.audit.finding import Finding, counted

PROMISE, KEPT, UNDERSTOOD = "answers", "answers_kept", "answers_understood"
KEY = ["asked", "subject", "answer_language"]
KEYS = {"item_facts": "item_id", "ad_audience_summary": "campaign_id", "shop_documents": "document_id"}
READ = (*KEYS, "item_sentiment")
WORDS = ("title", "brand", "category", "package_size", "campaign_name", "document_title", "document_text")
FACT = ["table", "key", "column", "shown"]


def rests(tables: Mapping[str, pa.Table]) -> Finding:
    """Whether every answer rests on the staged tables.

    Args:
        tables: answers, item_facts, item_sentiment, ad_audience_summary and shop_documents as staged.
    """
    rows = tables["answers"].to_pandas()
    if not len(rows):
        return Finding(PROMISE, 0, 0, None, "No input: nothing is answered.")
    facts = _facts(rows)
    resting = _holds(facts, tables).groupby(facts.answer).all()
    unsure = ~resting.reindex(rows.index, fill_value=False)  # an answer without facts states nothing
    shown = facts.groupby("answer").shown.agg(list)
    invented = pd.Series(
        [_invents(text, shown.get(at, [])) for at, text in zip(rows.index, rows.answer, strict=True)], rows.index
    )
    broken = unsure | invented
    words = "Every answer states what its facts say, and every fact is a value of tonight's tables"
    return counted(PROMISE, len(rows), int(broken.sum()), float(broken.mean()), words)


def flips(tables: Mapping[str, pa.Table], last: Mapping[str, pa.Table], most: float) -> Finding:
    """Whether questions keep their answers while the facts stay.

    Args:
        tables: as of `rests`, tonight's.
        last: those of the snapshot before; empty where there is none.
        most: share of the questions that may be answered by other facts.

    Source: negative flips, Yan et al. 2021, Positive-Congruent Training, https://arxiv.org/abs/2011.09161
    """
    if not {"answers", *READ}.issubset(last) or not len(last["answers"]) or not len(tables["answers"]):
        return counted(KEPT, 0, 0, 0.0, "")
    now, before = (one["answers"].to_pandas().set_index(KEY).sort_index() for one in (tables, last))
    both = now.index.intersection(before.index)
    now, before = (rows.loc[both].reset_index() for rows in (now, before))
    old, new = _facts(before), _facts(now)
    stayed = [_holds(old, tables).groupby(old.answer).all(), _holds(new, last).groupby(new.answer).all()]
    same = pd.concat(stayed, axis=1).reindex(now.index).fillna(False).astype(bool).all(axis=1)
    told = [rows.answer_facts.map(lambda facts: sorted(tuple(one[name] for name in FACT) for one in facts))
            for rows in (before, now)]  # fmt: skip
    flipped = same & (told[0] != told[1])
    share = float(flipped.sum()) / max(int(same.sum()), 1)
    over = max(0, int(flipped.sum()) - int(most * same.sum()))
    words = f"Of questions whose facts stayed at most {most:.0%} are answered otherwise than last night"
    return counted(KEPT, int(same.sum()), over, share, words)


def understood(tables: Mapping[str, pa.Table], last: Mapping[str, pa.Table], most: float) -> Finding:
    """Whether questions that the chat took rightly last night, asked in the same words, are taken so tonight.

    A name that several articles have, then or now, may mean another of them: what is asked of such is no case.

    Args:
        tables: as of `rests`, tonight's.
        last: those of the snapshot before; empty where there is none.
        most: share of the questions that may be lost.

    Source: negative flips, Yan et al. 2021, Positive-Congruent Training, https://arxiv.org/abs/2011.09161
    """
    if not {"answers", *READ}.issubset(last) or "is_understood" not in last["answers"].column_names:
        return counted(UNDERSTOOD, 0, 0, 0.0, "")
    nights = [one["answers"].to_pandas().set_index([*KEY, "question"]).is_understood.dropna() for one in (tables, last)]
    now, before = (found.astype(bool) for found in nights)
    both = now.index.intersection(before[before].index)
    subjects = both.get_level_values("subject")
    shared = [subjects.isin(_twins(one["item_facts"])) for one in (tables, last)]
    cases = now[both[~(shared[0] | shared[1])]]
    lost = int((~cases).sum())
    over = max(0, lost - int(most * len(cases)))
    words = f"Of questions that the chat understood last night at most {most:.0%} are taken for others"
    return counted(UNDERSTOOD, len(cases), over, lost / max(len(cases), 1), words)


def _twins(items: pa.Table) -> set[str]:
    """Items whose name another has, too."""
    rows = items.select(["item_id", "title"]).to_pandas()
    return set(rows.item_id[rows.title.duplicated(keep=False)])


def _facts(rows: pd.DataFrame) -> pd.DataFrame:
    """Facts of answers, a row each, and which answer they are of."""
    told = rows.answer_facts.explode().dropna()
    return pd.DataFrame([*told], columns=FACT).assign(answer=told.index)


def _holds(facts: pd.DataFrame, tables: Mapping[str, pa.Table]) -> "pd.Series[bool]":
    """Whether each fact is a value of the tables."""
    holds = pd.Series(False, index=facts.index)
    for (table, column), mine in facts.groupby(["table", "column"], sort=True):
        holds[mine.index] = _agrees(mine, _as_told(tables, str(table), str(column)), str(column))
    return holds


def _as_told(tables: Mapping[str, pa.Table], table: str, column: str) -> "pd.Series[str]":
    """A column of a staged table, worded, by the key of its row."""
    if table == "item_sentiment":
        rows = tables[table].select(["item_id", "aspect", column]).to_pandas()
        return rows[rows.aspect == "(all)"].assign(key=lambda r: r.item_id + "/(all)").set_index("key")[column].map(str)
    rows = tables[table].to_pandas().set_index(KEYS[table])
    values = rows[column].dropna()
    if column == "price_cents":
        return (values.astype(int) / 100).map("{:.2f}".format) + " " + rows.currency.reindex(values.index)
    if column == "in_stock":
        return values.map({True: "yes", False: "no"})
    return values.map(lambda value: str(int(value)) if isinstance(value, float) else str(value))


def _agrees(facts: pd.DataFrame, told: "pd.Series[str]", column: str) -> "pd.Series[bool]":
    """Whether each fact shows its row's value; of words, which are cleaned before they are shown, letter by letter."""
    value = facts.key.map(told)
    if column not in WORDS:
        return facts.shown == value
    pairs = zip(facts.shown.map(_letters), value.fillna("").map(_letters), strict=True)
    return pd.Series([bool(one) and _within(one, other) for one, other in pairs], facts.index)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _within(shown: str, value: str) -> bool:
    """Whether what is shown is in the value, in order, with at most cleaned pieces left out."""
    rest = iter(value)
    return all(letter in rest for letter in shown)


def _invents(text: str, shown: list[str]) -> bool:
    """Whether an answer names or numbers something that no fact of it shows."""
    names = re.findall("“(.*?)”", text)
    numbers = re.findall(r"\d+(?:[.-]\d+)*", re.sub("“.*?”", " ", text))
    held = [number for one in shown for number in re.findall(r"\d+(?:[.-]\d+)*", one)]
    return not set(names) <= set(shown) or not set(numbers) <= set(held)
