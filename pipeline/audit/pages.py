"""Page layouts counted again: what moved since last night, and whether pages keep the categories a profile names."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.finding import Tally
from pipeline.audit.recount import World

PROMISE = "G6_layouts"
LAYOUTS, PROFILES = "page_layouts", "user_profiles"
SLOT = ["user_key", "surface", "slot"]
WEEK = 7
CATEGORIES = "your_categories"


def lost_categories(tables: Mapping[str, pa.Table], world: World) -> set[str]:
    """Users whose profile names a category and whose home page leaves their categories out."""
    if LAYOUTS not in tables or PROFILES not in tables:
        return set()
    rows = tables[LAYOUTS].select(["user_key", "surface", "module"]).filter(pc.field("surface") == "home").to_pandas()
    home = rows[rows.user_key.isin(list(world.readable))]
    named = tables[PROFILES].filter(pc.list_value_length(pc.field("category_affinities")) > 0).column("user_key")
    return (set(home.user_key) & set(named.to_pylist())) - set(home.user_key[home.module == CATEGORIES])


def moves(tonight: Mapping[str, pa.Table], last: Mapping[str, pa.Table], world: World) -> Tally:
    """Users whose anchors moved, or who saw more than the moves a week allows.

    One move is two modules of a page that changed places, or one that came in for another. What makes room for another
    and then stands on the page no more, by need, is no move; nor is anything when what a user may be shown changed.
    """
    if LAYOUTS not in tonight:
        return Tally(PROMISE, 0, 0, 0, "", nothing="No input: no layouts are staged.")
    if LAYOUTS not in last or not world.same_pages:
        words = "No baseline: there is no layout of last night under the same settings."
        return Tally(PROMISE, 0, 0, 0, "", nothing=words)
    now, before = (tables[LAYOUTS].to_pandas(date_as_object=False) for tables in (tonight, last))
    both = before.merge(now, on=SLOT, how="outer", suffixes=("_before", "_now"), indicator="side")
    both = both[both.user_key.isin(now.user_key) & both.user_key.isin(before.user_key)]
    both["differs"] = both.module_before.ne(both.module_now)
    anchors = both[both.differs & (both.is_anchor_before.eq(True) | both.is_anchor_now.eq(True))]
    made = _made(both, now, world)
    made = made.reindex(both.user_key.unique(), fill_value=0)
    last_move, today = _last_move(before, made.index), pd.Timestamp(world.day)
    again = (made > 0) & (today - last_move < pd.Timedelta(days=WEEK))
    forgot = _last_move(now, made.index) != last_move.where(made == 0, today)  # the next week is counted from here
    limit = world.policy.layout.moves_per_week
    broken = {*anchors.user_key, *made.index[(made > limit) | (again & (limit < 2)) | forgot]}
    worst = made.max() if len(made) else 0
    words = f"Anchors stay, and no user sees more than {limit} move of a module in {WEEK} days"
    return Tally(PROMISE, both.user_key.nunique(), len(broken), float(worst), words)


def _made(both: pd.DataFrame, now: pd.DataFrame, world: World) -> pd.Series:
    """Moves by choice of each user tonight, at the least."""
    here = pd.MultiIndex.from_frame(now[["user_key", "surface", "module"]])
    stays = pd.MultiIndex.from_frame(both[["user_key", "surface", "module_before"]]).isin(here)
    may_change = ~both.user_key.isin(list(world.readable))
    forced = (both.change_cause_now == "forced") & (~stays | may_change)
    chosen = both[both.differs & ~forced]
    pages = chosen.groupby(["user_key", "surface"]).agg(
        slots=("slot", "size"), before=("module_before", frozenset), after=("module_now", frozenset)
    )
    # A swap changes two slots and no module; any other pair of changes is two moves.
    swaps = (pages.slots == 2) & (pages.before == pages.after)
    return pages.slots.where(~swaps, 1).groupby("user_key").sum()


def _last_move(rows: pd.DataFrame, users: pd.Index) -> pd.Series:
    """The day of each user's last move by choice; long ago for none."""
    days = pd.to_datetime(rows.moved_on).groupby(rows.user_key).max()
    return days.reindex(users).fillna(pd.Timestamp(0))
