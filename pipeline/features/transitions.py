"""Which items follow which from one basket to the next of the same user: a sparse item × item matrix."""

from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import scipy.sparse as sp
from ibis import _

from pipeline.features.behaviour import age_days
from pipeline.features.history import Items
from pipeline.features.sequences import offsets
from pipeline.features.split import known_by

WINDOW_DAYS = 180
# Normalisation of sequential co-visitation: damp frequent sources more than frequent targets.
SOURCE_POWER, TARGET_POWER, PRIOR = 0.5, 0.3, 10.0


def transitions(lines: ir.Table, space: Items, as_of: date, max_basket: int) -> sp.csr_matrix:
    """Normalised counts of item j in the basket right after one with item i: CSR [I, I].

    Args:
        lines: purchases.
        space: the items.
        as_of: last day that counts.
        max_basket: lines of larger baskets beyond this many are left out.
    """
    known = known_by(lines, as_of)
    known = known.filter(age_days(known.ds, as_of) < WINDOW_DAYS)
    once = known.group_by("user_key", "basket_id", "item_id").agg(ts=_.ts.min())
    within = ibis.window(group_by=["user_key", "basket_id"], order_by="item_id")
    small = once.mutate(
        place=ibis.row_number().over(within), at=_.ts.min().over(ibis.window(group_by=["user_key", "basket_id"]))
    )
    rows = (
        small.filter(_.place < max_basket)
        .order_by("user_key", "at", "basket_id", "item_id")
        .select("user_key", "basket_id", "item_id")
        .to_pyarrow()
    )
    items = space.index(rows.column("item_id"))
    starts = offsets(rows.column("basket_id"))
    basket = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    shape = (len(starts) - 1, len(space.ids))
    held = sp.csr_matrix((np.ones(len(items), np.float32), (basket, items)), shape=shape)
    user = (
        np.asarray(rows.column("user_key").dictionary_encode().combine_chunks().indices)[starts[:-1]]
        if len(rows)
        else []
    )
    same = np.flatnonzero(np.asarray(user)[1:] == np.asarray(user)[:-1])
    counts = (held[same].T @ held[same + 1]).tocsr()
    sales = np.asarray(held.sum(0)).ravel() + PRIOR
    return (sp.diags(sales**-SOURCE_POWER) @ counts @ sp.diags(sales**-TARGET_POWER)).tocsr().astype(np.float32)
