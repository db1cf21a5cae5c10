"""Ad slots counted again: ads of the plan, of their campaign's goods, where they may stand, and nothing shown twice."""

from collections.abc import Collection, Hashable, Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.finding import Tally
from pipeline.audit.recount import HABIT, LIST, World

PROMISE = "ad_placements"
OFFERS = "offers"
WORDS, NOTHING = (
    "Ads are planned, of the campaign's goods and what their surface may show",
    "No input: no ad stands anywhere.",
)


def placements(
    tables: Mapping[str, pa.Table],
    world: World,
    goods: Mapping[str, Collection[Hashable]],
    slots: Mapping[str, int],
    pages: Collection[str],
) -> Tally:
    """Hold each placement against the plan, the contract between surfaces and the layouts.

    Args:
        tables: ad_placements, ad_audiences, recommendations and page_layouts as staged.
        world: what happened.
        goods: item ids of each campaign.
        slots: ad slots of each surface.
        pages: surfaces that have a layout.
    """
    rows = tables["ad_placements"].to_pandas()
    if not len(rows):
        return Tally(PROMISE, 0, 0, 0, WORDS, "share", nothing=NOTHING)
    own = rows.campaign_id.isna()
    groups = rows.groupby(LIST)
    offers = tables["page_layouts"].filter(pc.field("module") == OFFERS).select(LIST).to_pandas()
    planned = tables["ad_audiences"].filter(pc.field("is_planned")).select(["campaign_id", "user_key"]).to_pandas()
    lists = tables["recommendations"].filter(pc.field("surface") == "ad").select(HABIT).to_pandas()
    sold = pd.MultiIndex.from_tuples(
        [(name, item) for name, items in goods.items() for item in items], names=["c", "i"]
    )
    broken = {
        "barred": world.barred(rows) != "",
        "without consent": ~rows.user_key.isin(rows.user_key if world.ads is None else list(world.ads)),
        "out of the plan": ~own & ~_among(rows, planned, "campaign_id", "user_key"),
        "other goods": ~own & ~pd.MultiIndex.from_frame(rows[["campaign_id", "item_id"]]).isin(sold),
        "in no list of ads": own & ~_among(rows, lists, "user_key", "item_id"),
        "no such slot": rows.slot > rows.surface.map(dict(slots)).fillna(0),
        "a gap or a repeat": (groups.slot.rank(method="first") != rows.slot)
        | rows.duplicated([*LIST, "item_id"], keep=False)
        | (~own & rows.duplicated([*LIST, "campaign_id"], keep=False)),
        "not on the page": rows.surface.isin(list(pages)) & ~_among(rows, offers, *LIST),
    }
    found = pd.DataFrame(broken)
    count = int(found.any(axis=1).sum())
    return Tally(
        PROMISE,
        len(rows),
        count,
        count,
        WORDS,
        "share",
        {str(name): bool(flag) for name, flag in found.any().items()},
        NOTHING,
    )


def _among(rows: pd.DataFrame, others: pd.DataFrame, *columns: str) -> pd.Series:
    """Which rows agree with any of the others in some columns."""
    keys = pd.MultiIndex.from_frame(others[list(columns)])
    return pd.Series(pd.MultiIndex.from_frame(rows[list(columns)]).isin(keys), rows.index)
