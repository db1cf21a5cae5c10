"""Stage the user_profiles table, held to the profiles of the night before."""

from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from pipeline.contracts.tables import USER_PROFILES
from pipeline.models import axes
from pipeline.models.profiles import LastNight
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.tables import profiles
from pipeline.warehouse.staging import Staging

BAND, SEGMENT = ["price_band", "price_level", "price_cuts"], ["segment", "segment_since", "segment_before"]
HELD = ["user_key", "baskets_90d", "basket_cuts", *BAND, *SEGMENT]  # columns that tonight's are held to


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Profiles of users who consent to personalisation."""
    inputs, day = RankingInputs(night), night.day
    encoder = desk.noted(night, "judgement-encoder")["serves"]
    _everyone, allowed = consenting.users(night, "consent_personalisation")
    goods = ibis.memtable(inputs.catalogue)
    shelf = goods.mutate(label=_.category.split(" > ")[1]).filter(_.is_listable & (_.label != "(unnamed)"))
    visited = profiles.visits(inputs.lines, day).to_pyarrow()
    visited = visited.filter(pc.is_in(visited.column("user_key"), allowed))
    progress(1, 3)
    categories = profiles.affinities(
        inputs.lines, shelf.select("item_id", "label"), day, profiles.CATEGORIES
    ).to_pyarrow()
    brands = profiles.affinities(
        inputs.lines, goods.select("item_id", label="brand"), day, profiles.BRANDS
    ).to_pyarrow()
    levels = profiles.price_levels(inputs.lines, shelf.select("item_id", "label", "price_cents"), day)
    progress(2, 3)
    before, still = _published(night)
    held = {row["user_key"]: row for row in before.select(HELD).to_pylist()}
    last = LastNight(held, frozenset(still.to_pylist()))
    users, settled = _vectors(inputs, encoder, before, still)
    rows = profiles.rows(
        visited,
        categories,
        brands,
        levels.order_by("user_key").to_pyarrow(),
        dict(zip(users.to_pylist(), profiles.vector_columns(settled), strict=True)),
        last,
        day=day,
        encoder=encoder,
        axes=settled.axes,
        currency=night.shop.currency,
    )
    file = staging.write(USER_PROFILES, rows)
    progress(3, 3)
    return {
        "rows": {file.name: file.rows},
        "axes": f"{settled.axes}, {settled.words}",
        "metrics": profiles.steadiness(rows, last, day),
    }


def _published(night: Night) -> tuple[pa.Table, pa.Array]:
    """The profiles of the snapshot this night follows, and those of their users of whom no event arrived since.

    Profiles of another contract are none: they lack what tonight's are held to.
    """
    before, none = desk.parent(night), USER_PROFILES.schema.empty_table()
    known = before.manifest.tables.get(USER_PROFILES.name) if before else None
    if before is None or known is None or known.fingerprint != USER_PROFILES.fingerprint:
        return none, none.column("user_key").combine_chunks()
    rows = before.table(USER_PROFILES.name, columns=[*HELD, "embedding", "axes"])
    users = rows.column("user_key").combine_chunks()
    return rows, users.filter(pc.invert(pc.is_in(users, desk.active_since(night, before.manifest.day))))


def _vectors(inputs: RankingInputs, encoder: str, before: pa.Table, still: pa.Array) -> tuple[pa.Array, axes.Settled]:
    """Users who bought, and their vectors on the axes of the night before."""
    history = inputs.history(inputs.night.day)
    taste = profiles.tastes(history.weight, inputs.texts(encoder))
    if not len(before):
        return history.users, axes.first(taste, encoder, "new: nothing was published to compare with")
    place = np.asarray(pc.fill_null(pc.index_in(history.users, before.column("user_key").combine_chunks()), -1))
    last = np.where((place >= 0)[:, None], _matrix(before.column("embedding"))[place], np.float32(0))
    idle = np.asarray(pc.is_in(history.users, still))
    return history.users, axes.settle(taste, encoder, last, before.column("axes")[0].as_py(), idle)


def _matrix(vectors: pa.ChunkedArray) -> np.ndarray:
    """Lists of one length as float32 [rows, length]; zeros where null."""
    present, flat = np.asarray(vectors.is_valid()), vectors.combine_chunks().flatten().to_numpy()
    out = np.zeros((len(present), len(flat) // max(int(present.sum()), 1)), np.float32)
    out[present] = flat.reshape(-1, out.shape[1])
    return out
