"""The promise of audiences, recounted from staged rows: enough users, no telling differences, consent, one draw.

Plain sets over what would be published, so that a row taken out, put in or flagged anew between scoring and publication
is seen. Not here: how audiences are made to keep it (`privacy.differencing`).
"""

from collections.abc import Collection
from itertools import combinations

import pyarrow as pa

from pipeline.privacy import floors

Rows = dict[str, dict[str, bool]]


def breaches(
    rows: pa.Table,
    summary: pa.Table,
    last: pa.Table | None,
    consenting: Collection[str],
    *,
    min_size: int,
    holdout_share: float,
    salt: str,
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
    """
    tonight, before = _by_campaign(rows), {} if last is None else _by_campaign(last)
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
        drawn = floors.is_holdout(pa.array(list(people), pa.string()), name, holdout_share, salt).to_pylist()
        if drawn != list(people.values()):
            found.append(f"audience {name}: its hold-out is not the one that was drawn")
    return found + _telling(tonight, before, min_size)


def _by_campaign(rows: pa.Table) -> Rows:
    """Whether each user is held out, by campaign and user key."""
    found: Rows = {}
    columns = ("campaign_id", "user_key", "is_holdout")
    for name, key, held in zip(*(rows.column(one).to_pylist() for one in columns), strict=True):
        found.setdefault(name, {})[key] = held
    return found


def _contacted(people: dict[str, bool]) -> set[str]:
    return {key for key, held in people.items() if not held}


def _telling(tonight: Rows, before: Rows, k: int) -> list[str]:
    """Pairs of audiences, tonight's with each other and with last night's, that differ by a few users."""
    now = {name: _contacted(people) for name, people in tonight.items()}
    then = {f"{name} of last night": _contacted(people) for name, people in before.items()}
    pairs = [*combinations(now.items(), 2), *((one, other) for one in now.items() for other in then.items())]
    return [
        f"audiences {name} and {other}: {few} users are in one of them alone, fewer than {k}"
        for (name, people), (other, others) in pairs
        for few in {len(people - others), len(others - people)}
        if 0 < few < k
    ]
