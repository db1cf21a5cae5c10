"""The ad_placements table: which campaign and item stands in each ad slot of a user, since when and why."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.models.ads import NOTHING, Candidates

KNOWN = "{campaign}: of its goods {item} is what you are likeliest to take"
SELLS = "{campaign}: of its goods {item} sells best of late"
OWN = "No campaign plans to contact you; {item} stands in your own list of ads"


def rows(
    surface: str,
    users: pa.Array,
    shown: Candidates,
    slot: np.ndarray,
    *,
    campaigns: Sequence[tuple[str, str]],
    items: pa.Array,
    titles: Sequence[str],
    since: np.ndarray,
    cause: np.ndarray,
) -> pa.Table:
    """Rows of one surface.

    Args:
        surface: its name.
        users: user keys that `shown` counts.
        shown: what stands in the slots [N].
        slot: int [N].
        campaigns: id and name by number.
        items: item ids by place.
        titles: item names by place.
        since: datetime64[D] [N].
        cause: str [N].
    """
    own = shown.campaign == NOTHING
    named = [None if number == NOTHING else campaigns[number] for number in shown.campaign.tolist()]
    words = [
        (OWN if one is None else KNOWN if known else SELLS).format(campaign=one and one[1], item=titles[item])
        for one, known, item in zip(named, shown.known.tolist(), shown.item.tolist(), strict=True)
    ]
    return pa.table(
        {
            "user_key": users.take(pa.array(shown.user)),
            "surface": pa.array([surface] * len(slot), pa.string()),
            "slot": pa.array(slot, pa.int32()),
            "campaign_id": pa.array([one and one[0] for one in named], pa.string()),
            "item_id": items.take(pa.array(shown.item)),
            "propensity": pa.array(shown.chance, pa.float64(), from_pandas=True),
            "reason": pa.array(words, pa.string()),
            "kept_since": pa.array(since.astype("datetime64[D]"), pa.date32()),
            "change_cause": pa.array(cause.tolist(), pa.string()),
            "is_fallback": pa.array(own),
        }
    )
