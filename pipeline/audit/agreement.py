"""Whether what tables say of lists is what the lists show: causes of places, experience and the change ledger.

Not here: promises about the lists themselves (`promises`).
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.audit.finding import Tally
from pipeline.audit.recount import LIST, ROW, World

SAID = [*ROW, "change", "rank_before", "rank_now", "change_cause"]
ROUNDING = 2e-6  # tables hold six digits


def causes(both: pd.DataFrame, made: pd.DataFrame, world: World) -> Tally:
    """Since when and why each place is there, against where its item was last night."""
    rows = both[both.side != "left_only"].join(made[["state", "gone"]], on=LIST)
    kept, cause, today = rows.side == "both", rows.change_cause_now, rows.kept_since_now == pd.Timestamp(world.day)
    by_state = {"new": ["first_night"], "active": ["forced", "user", "explore"]}
    by_state["idle"] = ["forced", "data", "model", "explore"]
    fits = np.select([rows.state == name for name in by_state], [cause.isin(one) for one in by_state.values()], False)
    stayed = (cause == "kept") & (rows.kept_since_now == rows.kept_since_before)
    right = (kept & stayed) | (~kept & fits & today)
    forced = (cause == "forced").groupby([rows[name] for name in LIST]).transform("sum")
    broken = ~right | ((cause == "forced") & (forced > rows.gone))
    count, words = int(broken.sum()), "Each place says rightly since when and why it is there"
    return Tally("causes", len(broken), count, count, words, "share")


def experience(before: pd.DataFrame, barred: pd.Series, made: pd.DataFrame, told: pa.Table, world: World) -> Tally:
    """What experience says of each list against what was counted here; it may name lists that came to hold nothing."""
    said = told.to_pandas().set_index(LIST)
    ended = (
        (said.list_size == 0) & ~said.index.isin(made.index) & said.index.isin(pd.MultiIndex.from_frame(before[LIST]))
    )
    said = said[~ended]
    both = made.merge(said, how="outer", left_index=True, right_index=True, suffixes=("", "_said"))
    counted = {
        "list_size": both["size"],
        "voluntary": both.voluntary,
        "forced": both.gone,
        "budget": both.budget,
        "pinned": both.pinned,
        "unchanged_nights": both.unchanged,
        "contradictions": barred.reindex(both.index),
        "rbo": both.rbo,
        "rbo_floor": both.floor,
        "churn": (both.newcomers / both.places).where(both.state != "new"),
        # A list that was away for a night may have spent before.
        "voluntary_7d": (both.spent + both.voluntary).where(both.state != "new", both.voluntary_7d),
    }
    off = pd.DataFrame({name: _apart(values, said[name].reindex(both.index)) for name, values in counted.items()})
    off["state"] = both.state != both.state_said
    stale = (both.state == "active") & (both.unchanged >= world.policy.stale_days) & (both["size"] == both.places)
    off["is_stale"] = both.is_stale.ne(stale)
    last = both.voluntary_by_night.map(lambda nights: nights[-1] if isinstance(nights, np.ndarray) else None)
    off["voluntary_by_night"] = _apart(both.voluntary, last) | _apart(
        both.voluntary_by_night.map(lambda nights: sum(nights) if isinstance(nights, np.ndarray) else None),
        counted["voluntary_7d"],
    )
    missing = both["size"].isna() | both.list_size.isna()
    broken, most = off.any(axis=1) | missing, float(off.sum(axis=1).max())
    words = "Experience says of each list what is counted from the lists"
    return Tally(
        "experience",
        len(broken),
        int(broken.sum()),
        most,
        words,
        broken={str(name): bool(flag) for name, flag in off.any().items()},
    )


def ledger(both: pd.DataFrame, now: pd.DataFrame, said: pa.Table) -> Tally:
    """The ledger against the differences of the lists, of those who have any list tonight."""
    had = pd.MultiIndex.from_frame(both.loc[both.side != "right_only", LIST].drop_duplicates())
    changed = both[(both.side != "both") & both.user_key.isin(now.user_key)]
    changed = changed[pd.MultiIndex.from_frame(changed[LIST]).isin(had)]
    told = changed.merge(said.select(SAID).to_pandas(), on=ROW, how="outer", suffixes=("", "_told"), indicator="told")
    entered = told.side == "right_only"
    right = (told.told == "both") & (told.change == np.where(entered, "entered", "left"))
    right &= ~_apart(told.rank_now, told.rank_now_told) & ~_apart(told.rank_before, told.rank_before_told)
    # What entered has the cause of its place; what may not be shown any more was forced out.
    right &= np.where(entered, told.change_cause == told.change_cause_now, True).astype(bool)
    right &= ~(~entered & (told.barred == True) & (told.change_cause != "forced"))  # noqa: E712
    words = "The ledger names what entered and left each list, and nothing else"
    count = int((~right).sum())
    return Tally("change_ledger", len(right), count, count, words, "count")


def _apart(counted: pd.Series, said: pd.Series) -> pd.Series:
    """Which values differ by more than rounding; null equals null."""
    counted, said = (pd.to_numeric(one, errors="coerce").astype(float) for one in (counted, said))
    return ((counted - said).abs() > ROUNDING) | (counted.isna() != said.isna())
