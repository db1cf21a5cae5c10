"""The promise of audiences and of the plan, recounted from staged rows.

Enough users, no telling differences, consent, one draw, budgets, the cap of contacts.

Plain sets over what would be published, so that a row taken out, put in or flagged anew between scoring and publication
is seen. Not here: how audiences are made to keep it (`privacy.differencing`).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

import pyarrow as pa

from pipeline.privacy import floors

Rows = dict[str, dict[str, bool]]
Lists = dict[str, set[str]]
ROUNDING = 0.01


def breaches(
    rows: pa.Table,
    summary: pa.Table,
    last: pa.Table | None,
    consenting: Collection[str],
    *,
    min_size: int,
    holdout_share: float,
    salt: str,
    later: Sequence[bytes] = (),
    room: Mapping[str, int] | None = None,
) -> list[str]:
    """What is promised of audiences and does not hold, a sentence each; empty when all holds.

    Args:
        rows: ad_audiences as staged.
        summary: ad_audience_summary as staged.
        last: ad_audiences as published last night; None when nothing was.
        consenting: keys of users who agreed to ads.
        min_size: fewest users of an audience, and by which two differ.
        holdout_share: share held out by the draw.
        salt: of the draw.
        later: secrets that keys have been turned by since.
        room: contacts each user may still get; None where the shop has no cap.
    """
    tonight, before = _by_campaign(rows), {} if last is None else _by_campaign(last)
    plans, plans_before = _plans(rows), {} if last is None or "is_planned" not in last.column_names else _plans(last)
    found = []
    told = {row["campaign_id"]: row for row in summary.to_pylist()}
    for name in sorted({*tonight, *told}):
        people, said = tonight.get(name, {}), told.get(name, {"is_published": False, "size": 0})
        size = len(_contacted(people))
        if said["is_published"] and (size < min_size or size != said["size"]):
            found.append(f"audience {name}: {size} users to contact, {said['size']} said, {min_size} asked for")
        if people and not said["is_published"]:
            found.append(f"audience {name}: withheld, and yet {len(people)} users stand in ad_audiences")
        if against := people.keys() - set(consenting):
            found.append(f"audience {name}: {len(against)} users did not agree to ads")
        drawn = floors.is_holdout(pa.array(list(people), pa.string()), name, holdout_share, salt, later).to_pylist()
        if drawn != list(people.values()):
            found.append(f"audience {name}: its hold-out is not the one that was drawn")
    now, then = ({name: _contacted(people) for name, people in one.items()} for one in (tonight, before))
    lists = now | {f"plan of {name}": people for name, people in plans.items()}
    ago = then | {f"plan of {name}": people for name, people in plans_before.items()}
    return found + _planned(plans, now, told, room, min_size) + _telling(lists, ago, min_size)


def _by_campaign(rows: pa.Table) -> Rows:
    """Whether each user is held out, by campaign and user key."""
    found: Rows = {}
    columns = ("campaign_id", "user_key", "is_holdout")
    for name, key, held in zip(*(rows.column(one).to_pylist() for one in columns), strict=True):
        found.setdefault(name, {})[key] = held
    return found


def _contacted(people: dict[str, bool]) -> set[str]:
    return {key for key, held in people.items() if not held}


def _plans(rows: pa.Table) -> Lists:
    """User keys that the plan contacts, by campaign."""
    found: Lists = {}
    columns = ("campaign_id", "user_key", "is_planned")
    for name, key, planned in zip(*(rows.column(one).to_pylist() for one in columns), strict=True):
        if planned:
            found.setdefault(name, set()).add(key)
    return found


def _planned(
    plans: Lists, audiences: Lists, told: Mapping[str, Mapping[str, Any]], room: Mapping[str, int] | None, k: int
) -> list[str]:
    """What the plan breaks: of whom it may contact, how many, for how much, and how often."""
    found = []
    for name, said in told.items():
        people = plans.get(name, set())
        if people - audiences.get(name, set()):
            found.append(f"plan of {name}: it contacts users whom the audience does not")
        if len(people) != said["planned"] or 0 < len(people) < k:
            found.append(f"plan of {name}: {len(people)} users, {said['planned']} said, {k} asked for")
        cost = said["spent_cents"] + len(people) * said["cost_per_contact_cents"]
        if people and said["budget_cents"] is not None and cost > said["budget_cents"] + ROUNDING:
            found.append(f"plan of {name}: it comes to {cost:,.0f} of a budget of {said['budget_cents']:,.0f}")
    counts = Counter(key for people in plans.values() for key in people)
    over = [key for key, count in counts.items() if room is not None and count > room.get(key, 0)]
    return found + ([f"plan: {len(over)} users are contacted more often than the cap allows"] if over else [])


def _telling(now: Lists, before: Lists, k: int) -> list[str]:
    """Pairs of audiences or plans, tonight's with each other and with last night's, that differ by a few users."""
    then = {f"{name} of last night": people for name, people in before.items()}
    pairs = [*combinations(now.items(), 2), *((one, other) for one in now.items() for other in then.items())]
    return [
        f"audiences {name} and {other}: {few} users are in one of them alone, fewer than {k}"
        for (name, people), (other, others) in pairs
        for few in {len(people - others), len(others - people)}
        if 0 < few < k
    ]
