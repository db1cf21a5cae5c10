"""The change_ledger table: what entered and left each list since last night, and why, in words."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.contracts.tables import CAUSES, CHANGES

ENTERED, LEFT = CHANGES
WORDS = {
    "forced": "An item that may no longer be shown left its place",
    "user": "You shopped since the last night",
    "data": "What other shoppers did since the last night speaks for it",
    "model": "Tonight's model puts it higher than last night's",
    "explore": "Shown to learn whether it fits",
    "first_night": "The list begins anew",
}
SHORTER = "The list became shorter"


def rows(
    surface: str,
    users: pa.Array,
    *,
    user: np.ndarray,
    item: np.ndarray,
    entered: np.ndarray,
    rank_before: np.ndarray,
    rank_now: np.ndarray,
    cause: np.ndarray,
    instead: np.ndarray,
    reasons: Sequence[str],
    item_ids: pa.Array,
    titles: Sequence[str],
) -> pa.Table:
    """Rows of one surface's changes; n changes.

    Args:
        surface: its name.
        users: user keys by row of the lists.
        user: int [n] row of the lists.
        item: int [n] place among `item_ids`.
        entered: bool [n]; else it left.
        rank_before: int [n], 0 for what entered.
        rank_now: int [n], 0 for what left.
        cause: int8 [n] place in CAUSES.
        instead: int [n] the item that came in the stead of what left by choice, else -1.
        reasons: [n] of what entered, why it is in the list; of what was forced to leave, the rule that bars it.
        item_ids: ids by item place.
        titles: names by item place.
    """
    heirs = [titles[one] if one >= 0 else "" for one in instead]
    said = [
        entered_words(CAUSES[code], reason) if came else left_words(CAUSES[code], heir, reason)
        for came, code, heir, reason in zip(entered, cause, heirs, reasons, strict=True)
    ]
    return pa.table(
        {
            "user_key": users.take(pa.array(user)),
            "surface": pa.array([surface] * len(user), pa.string()),
            "item_id": item_ids.take(pa.array(item)),
            "change": pa.array(np.where(entered, ENTERED, LEFT).tolist(), pa.string()),
            "rank_before": pa.array(rank_before, pa.int32(), mask=rank_before == 0),
            "rank_now": pa.array(rank_now, pa.int32(), mask=rank_now == 0),
            "change_cause": pa.array(CAUSES).take(pa.array(cause)),
            "reason": pa.array(said, pa.string()),
        }
    )


def entered_words(cause: str, reason: str) -> str:
    """Why an item came: what changed, then why it is in the list."""
    return f"{WORDS[cause]}. {reason}" if reason else f"{WORDS[cause]}."


def left_words(cause: str, heir: str, rule: str) -> str:
    """Why an item went: what came in its stead, or the rule that bars it."""
    if heir:
        return f"Made place for {heir}. {WORDS[cause]}."
    return rule or f"{SHORTER}."
