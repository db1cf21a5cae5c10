"""How small an audience may be, for people's privacy and for the ad platforms, and who is held out of it."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pyarrow as pa

from pipeline.privacy.keys import first_keys

# Matched users below which a platform will not run an audience, from the platforms' help pages.
PLATFORM_FLOORS = {"google": 100, "linkedin": 300, "meta": 100, "pinterest": 100, "snapchat": 1_000, "tiktok": 1_000}


def platforms_ok(size: int, match_rate: float) -> list[str]:
    """Platforms whose floor an audience reaches.

    Args:
        size: users in the audience.
        match_rate: share of them a platform is assumed to match, 0 to 1.

    Returns:
        Platform names, in order.
    """
    matched = size * Fraction(str(match_rate))  # exact, so that 1,000 users at 0.1 reach a floor of 100
    return sorted(name for name, floor in PLATFORM_FLOORS.items() if matched >= floor)


def withheld(size: int, min_size: int) -> str | None:
    """Why an audience is not published, in words; None when it may be."""
    return None if size >= min_size else f"fewer than the minimum of {min_size:,} users"


def told(count: int, least: int) -> int | None:
    """A count of people as a report may tell it; None for a few, who could be recognised."""
    return count if count == 0 or count >= least else None


def is_holdout(
    user_keys: "pa.Array[Any] | pa.ChunkedArray[Any]",
    campaign_id: str,
    share: float,
    salt: str,
    later: Sequence[bytes] = (),
) -> "pa.Array[Any]":
    """Who is never contacted for a campaign, so that its effect can be measured.

    The draw is a salted SHA-256 of campaign and user: the same on every night, for any order and any other users. A
    larger share keeps everyone a smaller one held out.

    Args:
        user_keys: [n].
        campaign_id: the campaign.
        share: expected share held out, 0 to 1.
        salt: the shop's own, so that shops draw apart.
        later: secrets that keys have been turned by: the draw is by what they were before.

    Returns:
        Booleans [n].

    Raises:
        ValueError: the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"hold-out share {share}: not between 0 and 1")
    below = int(Fraction(str(share)) * 2**64)
    drawn = hashlib.sha256(f"{len(salt)}:{salt}{len(campaign_id)}:{campaign_id}".encode())

    def draw(key: str) -> int:
        one = drawn.copy()
        one.update(key.encode())
        return int.from_bytes(one.digest()[:8])

    keys: list[Any] = (first_keys(later, user_keys) if later else user_keys).to_pylist()
    return pa.array([draw(key) < below for key in keys], pa.bool_())
