"""Whether the promises of the balance hold, recounted from the staged tables and those of the snapshot before.

Each promise is one function and one row of the frame `promises`, which expectations judge. What cannot be checked yet
says so: 0 cases, and why. Not here: how lists are counted (`recount`), and how promises are kept (`balance`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from math import ceil

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.audit import agreement, pages
from pipeline.audit.finding import Finding, counted, found
from pipeline.audit.recount import LIST, World, compare, lists, standing
from pipeline.contracts.tables import EXPERIENCE, PROMISES

EXACT = 1e-9


def promises(
    tonight: Mapping[str, pa.Table], last: Mapping[str, pa.Table], world: World, also: Sequence[Finding] = ()
) -> pa.Table:
    """Recount every promise.

    Args:
        tonight: staged tables by name: recommendations, cart_recommendations, experience, change_ledger; user_profiles
            and page_layouts where there are any.
        last: those of the snapshot before; empty before the first night.
        world: what happened.
        also: findings of promises that are recounted elsewhere.

    Returns:
        Rows of the frame `promises`.
    """
    now, before = lists(tonight, world.day), standing(lists(last, world.last_day), world)
    carried = _carried(last)
    made = compare(now, before, carried.spent, world)
    made["unchanged"] = np.where(made.is_same, carried.unchanged.reindex(made.index, fill_value=0) + 1, 0)
    findings = [
        _replacements(made, world),
        _overlaps(made),
        _week(made, world),
        _devices(now, world),
        _contradictions(now, tonight, world),
        pages.moves(tonight, last, world),
        _freshness(made, world),
        agreement.causes(now, before, made, world),
        agreement.experience(now, before, made, tonight["experience"], world),
        agreement.ledger(now, before, tonight["change_ledger"], world),
        *also,
    ]
    columns = zip(*map(astuple, findings), strict=True)
    return PROMISES.enforce(pa.table(dict(zip(PROMISES.names, map(list, columns), strict=True)), PROMISES.schema))


def _carried(last: Mapping[str, pa.Table]) -> pd.DataFrame:
    """Spent (in the six nights before), nights (their counts) and unchanged of each list of last night."""
    rows = last.get("experience", EXPERIENCE.schema.empty_table()).to_pandas().set_index(LIST)
    nights = rows.voluntary_by_night.map(lambda counts: [int(one) for one in counts[1:]])
    return pd.DataFrame({"spent": nights.map(sum), "nights": nights, "unchanged": rows.unchanged_nights})


def _replacements(made: pd.DataFrame, world: World) -> Finding:
    old = made[made.state != "new"]
    limit = old.state.map({name: budget.replacements for name, budget in world.budgets.items()}).astype(int)
    over = old.voluntary - limit
    idle, active = (world.budgets[name].replacements for name in ("idle", "active"))
    words = f"A night replaces by choice at most {idle} items of an idle user's list and {active} of an active one's"
    return found("G1_replacements", over > 0, over.max(), words)


def _overlaps(made: pd.DataFrame) -> Finding:
    promised = made[made.floor.notna()]
    room = promised.rbo - promised.floor
    words = "Where nothing had to change, overlap with last night is never under the row's floor"
    return found("G2_overlap", room < -EXACT, room.min(), words)


def _week(made: pd.DataFrame, world: World) -> Finding:
    idle = made[made.state == "idle"]
    week, limit = idle.spent + idle.voluntary, world.policy.week_limit
    words = f"An idle night takes no list beyond {limit} replacements by choice in 7 nights"
    return found("G3_week", (week > limit) & (idle.voluntary > 0), week.max(), words)


def _devices(now: pd.DataFrame, world: World) -> Finding:
    """A device shows the first places of the one list, so the list must have first places, each item once."""
    groups = now.groupby(LIST)
    ranks = groups["rank"].agg(["size", "min", "max", "nunique"]).join(groups.item_id.nunique())
    places = ranks.index.get_level_values("surface").map(world.sizes).astype(float)
    whole = (ranks["min"] == 1) & (ranks["max"] == ranks["size"]) & (ranks["nunique"] == ranks["size"])
    broken = ~(whole & (ranks.item_id == ranks["size"]) & (ranks["size"] <= places))
    cases = broken.loc[broken.index.repeat(len(world.policy.devices))]
    words = f"Each of {len(world.policy.devices)} devices shows the first places of one list without gaps or repeats"
    return found("G4_devices", cases, ranks["max"].max(), words)


def _contradictions(now: pd.DataFrame, tonight: Mapping[str, pa.Table], world: World) -> Finding:
    users = now.user_key.drop_duplicates()
    broken = {*now.user_key[world.barred(now) != ""], *pages.lost_categories(tonight, world)}
    return found("G5_contract", users.isin(broken), len(broken) / max(len(users), 1), "No user meets a contradiction")


def _freshness(made: pd.DataFrame, world: World) -> Finding:
    """Of full lists: one with places left has all that may stand there, and nothing to change to.

    One list over the share is let be, or a surface with three active users could never have an unchanged one.
    """
    policy, active = world.policy, made[(made.state == "active") & (made["size"] == made.places)]
    stale = (active.unchanged >= policy.stale_days).groupby("surface").agg(["sum", "size", "mean"])
    over = sum(max(0, int(row["sum"]) - ceil(policy.stale_share * row["size"])) for _, row in stale.iterrows())
    words = (
        f"On each surface at most {policy.stale_share:.0%} of active users have a full list unchanged for "
        f"{policy.stale_days} days"
    )
    return counted("G11_freshness", len(active), over, stale["mean"].max(), words)
