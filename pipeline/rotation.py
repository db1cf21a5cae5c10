"""A rotation of the secret behind user keys: everything kept is turned to new keys, and the shop stays as it was.

Lists, profiles, audiences and experiments follow their users, and the hold-out is that of the first draw. Each step
may be killed and done again; until it is done, no night begins and no user is looked up. Not here: snapshots of old,
which keep old keys until the janitor removes them, and what has left the house.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Privacy, Table
from pipeline.contracts.tables import CART_RECOMMENDATIONS, TABLES
from pipeline.errors import ConfigError, Refused
from pipeline.feeds import partitions
from pipeline.privacy import keys, tombstones
from pipeline.reports import export
from pipeline.settings import Night
from pipeline.warehouse import durable, fence, snapshot, staging
from pipeline.warehouse.bucket import Bucket
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.republish import republish

RUN = "rotation"


@dataclass(frozen=True)
class Rotation:
    """What a rotation did to one shop.

    Attributes:
        days: days of feeds whose keys were turned.
        snapshot: what readers see now; None when nothing was published.
        holding: older snapshots, which hold old keys.
    """

    days: int
    snapshot: str | None
    holding: tuple[str, ...]


def rotate(nights: Sequence[Night]) -> dict[str, Rotation]:
    """Add a secret, and turn every key that is kept by it.

    Args:
        nights: any night of each shop whose keys come of the secret.

    Returns:
        By shop.

    Raises:
        ConfigError: the secret stands in the environment, or a shop of the home is not named.
        Refused: a night is at work.
        Superseded: a night was published meanwhile; do it again.
    """
    home = nights[0].home
    named = {night.root for night in nights}
    if others := sorted(path.parent.name for path in home.glob("*/feeds") if path.parent not in named):
        raise ConfigError(f"{home}: holds {', '.join(others)}, too, with keys of the same secret; name every shop")
    with ExitStack() as stack:
        for night in nights:
            stack.enter_context(durable.locked(night.feeds))
            _quiet(night)
        secret = keys.prepare(home / "secrets")
        done = {night.shop.name: _turn(night, secret) for night in nights}
        keys.settle(home / "secrets")
    return done


def _quiet(night: Night) -> None:
    """Make sure of no night at work, and remove what nights left on their way.

    Raises:
        Refused: one is at work.
    """
    root = night.warehouse
    with durable.locked(root):
        if live := fence.live(root):
            raise Refused(f"shop {night.shop.name}: run {live[0]} is at work; rotate when it ends")
        for path in (night.work.parent, root / staging.FOLDER, night.root / export.FOLDER):
            durable.drop(path)


def _turn(night: Night, secret: keys.Secret) -> Rotation:
    newest = secret.later[-1]
    mark = f"turned {len(secret.later)} times"
    days = sum(
        partitions.rekeyed(night.feeds, feed, lambda names: keys.turned(newest, names), mark) for feed in FEEDS.values()
    )
    # Old keys stay on the list of the erased: they name nobody any more, and a rotation cut off here may begin anew.
    listed = tombstones.load(night.root / tombstones.FILE)
    if len(listed):
        both = [*listed.to_pylist(), *keys.turned(newest, listed).to_pylist()]
        durable.put(night.root / tombstones.FILE, tombstones.as_text(both), Step.TOMBSTONE)
    now = _republish(night, newest)
    older = tuple(one.snapshot for one in snapshot.history(night.warehouse) if one.snapshot != now)
    return Rotation(days, now, older)


def _republish(night: Night, newest: bytes) -> str | None:
    """Publish the current snapshot again with keys that are turned, unless it has them; gives what is current then."""
    root, now = night.warehouse, snapshot.pointer(night.warehouse)
    if now is None:
        return None
    pinned = snapshot.open_snapshot(root, now)
    tables = {name: pinned.table(name) for name in pinned.manifest.tables}
    held = {name: _turned(TABLES[name], rows, newest) for name, rows in tables.items()}
    if all(held[name].equals(tables[name]) for name in tables) or _are_new(night, tables):
        return now
    rows = ((TABLES[name], turned) for name, turned in held.items())
    return republish(root, pinned, RUN, rows, pinned.manifest.parent, Bucket.of(night.shop))


def _turned(contract: Table, rows: pa.Table, newest: bytes) -> pa.Table:
    for column in contract.columns:
        if column.privacy is Privacy.PSEUDONYM:
            place, names = rows.column_names.index(column.name), rows.column(column.name)
            other = names
            if contract.name == CART_RECOMMENDATIONS.name:  # what goes with an item stands under the item's id
                is_person = pc.equal(rows.column("context"), "basket")
                names = pc.if_else(is_person, names, pa.scalar(None, pa.string()))
                other = pc.coalesce(keys.turned(newest, names), other.combine_chunks())
            else:
                other = keys.turned(newest, names)
            rows = rows.set_column(place, rows.schema.field(place), other)
    return rows


def _are_new(night: Night, tables: dict[str, pa.Table]) -> bool:
    """Whether tables speak of users by the keys that the feeds, turned already, know them by."""
    known: set[str] = set()
    for feed in ("events", "users"):
        for folder in partitions.days(night.feeds, feed, date.max):
            known |= set(pc.unique(partitions.read_rows(folder).column("user_key")).to_pylist())
    told = {
        key
        for name, rows in tables.items()
        for column in TABLES[name].columns
        if column.privacy is Privacy.PSEUDONYM and column.name == "user_key"
        for key in pc.unique(rows.column("user_key")).to_pylist()
    }
    return bool(told & known)
