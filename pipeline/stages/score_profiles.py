"""Stage the user_profiles table."""

from typing import Any

import ibis
import pyarrow.compute as pc
from ibis import _

from pipeline.contracts.tables import USER_PROFILES
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.tables import profiles
from pipeline.warehouse.staging import Staging


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
    history = inputs.history(day)
    taste = dict(zip(history.users.to_pylist(), profiles.tastes(history.weight, inputs.texts(encoder)), strict=True))
    rows = profiles.rows(
        visited,
        categories,
        brands,
        levels.order_by("user_key").to_pyarrow(),
        taste,
        encoder=encoder,
        currency=night.shop.currency,
    )
    file = staging.write(USER_PROFILES, rows)
    progress(3, 3)
    return {"rows": {file.name: file.rows}}
