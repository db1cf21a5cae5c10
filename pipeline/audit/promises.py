"""Whether the promises of the balance hold, recounted from the staged tables and those of the snapshot before.

Each promise is one function and one row of the frame `promises`, which expectations judge. What cannot be checked yet
says so: 0 cases, and why. Not here: how lists are counted (`recount`), and how promises are kept (`balance`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from math import ceil

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline import at_work
from pipeline.audit import agreement, pages
from pipeline.audit.finding import Finding, Tally, counted, found, together
from pipeline.audit.recount import LIST, World, beside, compare, lists, standing
from pipeline.contracts.tables import EXPERIENCE, PROMISES

EXACT = 1e-9
# What promises of whole lists are judged by, once all lists have been counted.
COUNTED = [
    "size",
    "places",
    "first",
    "last",
    "ranks",
    "items",
    "state",
    "voluntary",
    "spent",
    "rbo",
    "floor",
    "unchanged",
]


@dataclass(frozen=True)
class Part:
    """Some users' part of the night, whole: what is promised of one user's lists never hangs on another's rows.

    Attributes:
        tonight: staged tables by name: recommendations, cart_recommendations, experience, change_ledger; user_profiles
            and page_layouts where there are any.
        last: those of the snapshot before; empty before the first night.
        world: what happened.
        also: tallies of further promises.
    """

    tonight: Mapping[str, pa.Table]
    last: Mapping[str, pa.Table]
    world: World
    also: Sequence[Tally] = ()


def promises(parts: Iterable[Part], also: Sequence[Finding] = (), threads: int = 1) -> pa.Table:
    """Recount every promise.

    Args:
        parts: all users', one part after the other; few are held at a time.
        also: findings of promises that are recounted elsewhere.
        threads: parts at work at once.

    Returns:
        Rows of the frame `promises`.
    """
    made, tallies, world = [], [], None
    for counts, told, seen in at_work.each(_recounted, parts, threads):
        made.append(counts)
        tallies.append(told)
        world = seen  # all are of one night, and each holds its users' purchases
    if world is None:
        raise ValueError("promises: there is no part, and so nothing to recount")
    every = pd.concat(made)
    findings = [
        _replacements(every, world),
        _overlaps(every),
        _week(every, world),
        _devices(every, world),
        _freshness(every, world),
        *together(tallies),
        *also,
    ]
    columns = zip(*map(astuple, findings), strict=True)
    return PROMISES.enforce(pa.table(dict(zip(PROMISES.names, map(list, columns), strict=True)), PROMISES.schema))


def _recounted(part: Part) -> tuple[pd.DataFrame, list[Tally], World]:
    """COUNTED of each list, by surface, what is counted of places, pages and what is told of lists; what happened."""
    tonight, last, world = part.tonight, part.last, part.world
    now, before = lists(tonight, world.day), standing(lists(last, world.last_day), world)
    both, barred = beside(before, now), world.barred(now) != ""
    carried = _carried(last)
    made = compare(now, before, both, carried.spent, world)
    made["unchanged"] = np.where(made.is_same, carried.unchanged.reindex(made.index, fill_value=0) + 1, 0)
    tallies = [
        _contradictions(now, barred, tonight, world),
        pages.moves(tonight, last, world),
        agreement.causes(both, made, world),
        agreement.experience(
            before, barred.groupby([now[name] for name in LIST]).sum(), made, tonight["experience"], world
        ),
        agreement.ledger(both, now, tonight["change_ledger"]),
        *part.also,
    ]
    return made[COUNTED].droplevel("user_key"), tallies, world


def _carried(last: Mapping[str, pa.Table]) -> pd.DataFrame:
    """Spent (in the six nights before) and unchanged of each list of last night."""
    rows = last.get("experience", EXPERIENCE.schema.empty_table()).to_pandas().set_index(LIST)
    spent = rows.voluntary_by_night.map(lambda counts: int(counts[1:].sum()))
    return pd.DataFrame({"spent": spent, "unchanged": rows.unchanged_nights})


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


def _devices(made: pd.DataFrame, world: World) -> Finding:
    """A device shows the first places of the one list, so the list must have first places, each item once."""
    whole = (made["first"] == 1) & (made["last"] == made["size"]) & (made.ranks == made["size"])
    broken = ~(whole & (made["items"] == made["size"]) & (made["size"] <= made.places))
    cases = pd.Series(np.repeat(broken.to_numpy(), len(world.policy.devices)))
    words = f"Each of {len(world.policy.devices)} devices shows the first places of one list without gaps or repeats"
    return found("G4_devices", cases, made["last"].max(), words)


def _contradictions(now: pd.DataFrame, barred: pd.Series, tonight: Mapping[str, pa.Table], world: World) -> Tally:
    users = now.user_key.drop_duplicates()
    broken = {*now.user_key[barred], *pages.lost_categories(tonight, world)}
    met = int(users.isin(broken).sum())
    return Tally("G5_contract", len(users), met, len(broken), "No user meets a contradiction", "share")


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
