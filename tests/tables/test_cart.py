"""Rows of cart_recommendations, as its contract asks."""

from datetime import date

import numpy as np
import pyarrow as pa

from pipeline.contracts.tables import CART_RECOMMENDATIONS
from pipeline.models.cart import Complements, best_for_items
from pipeline.tables import cart

IDS = pa.array(["bread", "butter", "jam", "soap"])
TITLES = ["Bread", "Butter", "Jam", "Soap"]
FOUND = Complements(
    item=np.array([0, 0, 1]),
    other=np.array([2, 1, 0]),
    lift=np.array([2.0, 3.0, 3.0]),
    sure=np.array([1.5, 2.5, 2.5]),
    together=np.array([8, 20, 20]),
)


def test_an_items_complements_are_ranked_by_their_sure_lift():
    rows = cart.item_rows(FOUND, best_for_items(FOUND, 10), IDS, TITLES)
    assert CART_RECOMMENDATIONS.enforce(rows).to_pylist() == [
        {
            "context": "item", "context_id": context, "rank": rank, "item_id": item, "score": round(np.log(sure), 6),
            "lift": lift, "together": together, "reason": reason, "kept_since": None, "change_cause": None,
        }
        for context, rank, item, sure, lift, together, reason in [
            ("bread", 1, "butter", 2.5, 3.0, 20, "Together with Bread in 20 baskets, 3.0 times as often as by chance"),
            ("bread", 2, "jam", 1.5, 2.0, 8, "Together with Bread in 8 baskets, 2.0 times as often as by chance"),
            ("butter", 1, "bread", 2.5, 3.0, 20, "Together with Butter in 20 baskets, 3.0 times as often as by chance"),
        ]
    ]  # fmt: skip


def test_a_basket_is_completed_in_the_lists_order():
    items, scores = np.array([[1, 3, 2], [-1, -1, -1]]), np.array([[0.9, 0.2, 0.1], [0, 0, 0]])
    words = np.array([["goes", "often", "fits"], ["", "", ""]], dtype=object)
    causes = np.array([["kept", "data", "user"], ["", "", ""]], dtype=object)
    since = np.full(items.shape, np.datetime64("2017-03-30"))
    told = CART_RECOMMENDATIONS.enforce(
        cart.basket_rows(pa.array(["u1", "u2"]), items, scores, words, since, causes, IDS)
    ).to_pylist()
    assert [tuple(row.values()) for row in told] == [
        ("basket", "u1", 1, "butter", 0.9, None, None, "goes", date(2017, 3, 30), "kept"),
        ("basket", "u1", 2, "soap", 0.2, None, None, "often", date(2017, 3, 30), "data"),
        ("basket", "u1", 3, "jam", 0.1, None, None, "fits", date(2017, 3, 30), "user"),
    ]


def test_nothing_to_recommend_is_an_empty_table():
    none = Complements(*(np.zeros(0, t) for t in (np.int64, np.int64, float, float, np.int64)))
    assert len(CART_RECOMMENDATIONS.enforce(cart.item_rows(none, np.zeros(0, int), IDS, TITLES))) == 0
    nobody = np.full((1, 3), -1)
    blank = np.full((1, 3), "", dtype=object)
    rows = cart.basket_rows(
        pa.array(["u"]), nobody, np.zeros((1, 3)), blank, nobody.astype("datetime64[D]"), blank, IDS
    )
    assert len(CART_RECOMMENDATIONS.enforce(rows)) == 0
