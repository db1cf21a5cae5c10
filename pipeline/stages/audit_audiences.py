"""Opening what the audit of audiences reads, and refusing the night where their promise does not hold."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pyarrow as pa
from pyarrow import dataset
from pyarrow.dataset import Dataset

from pipeline.audit import audiences
from pipeline.audit.finding import Finding, counted
from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES
from pipeline.errors import Refused
from pipeline.privacy.keys import load_secret
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.score_audiences import CONSENTS, holdout_salt
from pipeline.warehouse.snapshot import Snapshot

PROMISE = "G7_audiences"
READ = ["campaign_id", "user_key", "is_holdout", "is_planned"]


def finding(frames: Mapping[str, Dataset], breaches: Sequence[str]) -> Finding:
    """The row of this promise beside those of lists and pages."""
    count = frames[AD_AUDIENCE_SUMMARY.name].count_rows()
    if not count:
        return Finding(PROMISE, 0, 0, None, "No input: no campaign is live.")
    return counted(PROMISE, count, len(breaches), len(breaches), "Audiences are large enough and tell of nobody")


def require(breaches: Sequence[str]) -> None:
    """Let the night go on only if its staged audiences keep their promise.

    Raises:
        Refused: an audience is too small, tells of a few people, holds who did not agree, or its draw was changed.
    """
    if breaches:
        raise Refused(f"audit refused {len(breaches)}: {'; '.join(breaches)}. Run the night again from score")


def _room(night: Night) -> dict[str, int] | None:
    """Contacts that each user may still get, counted from the feed; None where the shop has no cap."""
    settings = night.shop.audiences
    if settings.contact_cap is None:
        return None
    everyone, _consenting = consenting.users(night, *CONSENTS)
    room = dict.fromkeys(everyone.to_pylist(), settings.contact_cap)
    contacts = desk.landed(desk.connect(night), night, "contacts")
    if contacts is not None:
        after = night.day - timedelta(settings.contact_days)
        sends = contacts.filter((contacts.contact_kind == "send") & (contacts.ds > after)).select("user_key")
        for key in sends.to_pyarrow().column("user_key").to_pylist():
            room[key] = room.get(key, settings.contact_cap) - 1
    return room


def breaches_of(night: Night, frames: Mapping[str, Dataset]) -> list[str]:
    """What is promised of the staged audiences and does not hold, a sentence each."""
    before = desk.parent(night)
    settings = night.shop.audiences
    return audiences.breaches(
        frames[AD_AUDIENCES.name].to_table(READ),
        frames[AD_AUDIENCE_SUMMARY.name].to_table(),
        _last(before) if before and AD_AUDIENCES.name in before.manifest.tables else None,
        consenting.users(night, *CONSENTS)[1].to_pylist(),
        min_size=settings.min_size,
        holdout_share=settings.holdout_share,
        salt=holdout_salt(night),
        later=load_secret(night.home / "secrets").later,
        room=_room(night),
    )


def _last(before: Snapshot) -> pa.Table:
    """Last night's audiences; a snapshot of old planned nothing."""
    rows = dataset.dataset(before.path(AD_AUDIENCES.name))
    return rows.to_table([name for name in READ if name in rows.schema.names])
