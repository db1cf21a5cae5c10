"""The recommendations table: what each surface shows each user, with the reason."""

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipeline import explain
from pipeline.features.history import History
from pipeline.models.recommendations import Lists
from pipeline.settings import RecommenderSettings

HOME, EMAIL = "home", "email"


def fused_rows(lists: Lists, words: explain.Words, item_ids: pa.Array, settings: RecommenderSettings) -> pa.Table:
    """Rows of users with history: home is the head of the ranking, e-mail the same ranking without the just bought.

    Args:
        lists: ranked long enough that e-mail can leave items out.
        words: for reasons.
        item_ids: ids by item place.
        settings: places of home and e-mail, and for how many days what was bought stays out of e-mail.
    """
    history, items = words.known.history, lists.items
    age = _at(history.age[lists.users], items)
    resting = (age > 0) & (age <= settings.email_rest_days)
    chosen = {
        HOME: _first(items >= 0, settings.list_size),
        EMAIL: _first((items >= 0) & ~resting, settings.email_size),
    }
    reasons = words.reasons(lists, chosen[HOME] | chosen[EMAIL])
    users = history.users.take(pa.array(lists.users))
    parts = [_surface(name, users, items, lists.scores, reasons, kept, item_ids) for name, kept in chosen.items()]
    return pa.concat_tables(parts)


def fallback_rows(
    users: pa.Array, ranked: np.ndarray, history: History, item_ids: pa.Array, *, home_size: int, email_size: int
) -> pa.Table:
    """Rows from a baseline ranking int [U, K]: for users without history, or for all when the model is refused."""
    scores = -np.broadcast_to(np.arange(1, ranked.shape[1] + 1, dtype=float), ranked.shape)
    reasons = np.array(
        [[explain.popular_words(int(history.buyers_recent[i])) if i >= 0 else "" for i in row] for row in ranked],
        dtype=object,
    ).reshape(ranked.shape)
    parts = [
        _surface(name, users, ranked, scores, reasons, _first(ranked >= 0, size), item_ids, fallback=True)
        for name, size in ((HOME, home_size), (EMAIL, email_size))
    ]
    return pa.concat_tables(parts)


def _surface(
    name: str,
    users: pa.Array,
    items: np.ndarray,
    scores: np.ndarray,
    reasons: np.ndarray,
    kept: np.ndarray,
    item_ids: pa.Array,
    *,
    fallback: bool = False,
) -> pa.Table:
    place = np.cumsum(kept, axis=1)
    user, column = np.nonzero(kept)
    count = len(user)
    return pa.table(
        {
            "user_key": users.take(pa.array(user)),
            "surface": pa.array([name] * count, pa.string()),
            "rank": pa.array(place[user, column], pa.int32()),
            "item_id": item_ids.take(pa.array(items[user, column])),
            "score": pa.array(scores[user, column], pa.float64()),
            "reason": pa.array(reasons[user, column].tolist(), pa.string()),
            "is_fallback": pa.array([fallback] * count, pa.bool_()),
        }
    )


def _first(allowed: np.ndarray, size: int) -> np.ndarray:
    """The first places of each row that are allowed: bool [U, K]."""
    return allowed & (np.cumsum(allowed, axis=1) <= size)


def _at(matrix: sp.csr_matrix, items: np.ndarray) -> np.ndarray:
    users = np.repeat(np.arange(items.shape[0]), items.shape[1])
    return np.asarray(matrix[users, np.maximum(items, 0).ravel()]).reshape(items.shape)
