"""Tokens by which the shop's own site says who is signed in. A token is good for one snapshot and needs no clock.

It is the user key, the snapshot's id and an HMAC-SHA-256 over both, by a key derived from the shop's secret: whoever
holds the tables cannot make one, and nothing in a talk can.
"""

import hmac

from pipeline.errors import ConfigError

PURPOSE = b"shopkeel chat token:"


def issue(secret: bytes, user_key: str, snapshot_id: str) -> str:
    """The token of a user for a snapshot."""
    return f"{user_key}.{snapshot_id}.{_mark(secret, user_key, snapshot_id)}"


def user_of(secret: bytes, token: str, snapshot_id: str) -> str:
    """Whose token it is.

    Raises:
        ConfigError: it was not made by this shop's secret, or not for this snapshot.
    """
    user_key, _, rest = token.partition(".")
    named, _, mark = rest.rpartition(".")
    good = hmac.compare_digest(mark.encode(), _mark(secret, user_key, named).encode())
    if not good or named != snapshot_id:
        raise ConfigError("token: not one of this shop's current snapshot; `shopkeel chat-token` makes one")
    return user_key


def _mark(secret: bytes, user_key: str, snapshot_id: str) -> str:
    return hmac.digest(secret, PURPOSE + f"{user_key}.{snapshot_id}".encode(), "sha256").hex()
