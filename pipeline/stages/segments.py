"""Audiences of the shop's own making as campaigns of no kind: by attributes, by item, like a list of seeds.

Attributes and likeness are those of the profiles published last night, as tonight's are made at the same time.
"""

import csv
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import USER_PROFILES
from pipeline.errors import ConfigError
from pipeline.features import attributes
from pipeline.features.responses import Campaign
from pipeline.privacy.keys import load_secret, user_keys
from pipeline.settings import Night, SegmentSettings
from pipeline.stages import desk
from pipeline.stages.response_inputs import ResponseInputs

PREFIX, KIND, DAYS = "segment:", "segment", 14


def campaign(segment: SegmentSettings, inputs: ResponseInputs) -> Campaign:
    """A segment as the response model sees it: a fortnight from tomorrow, about its item or about nothing.

    Raises:
        ConfigError: the item is not in the catalogue.
    """
    targets = np.zeros(0, np.int64)
    if segment.item is not None:
        targets = inputs.ranking.space.index(pa.array([segment.item]))
        if (targets < 0).any():
            raise ConfigError(
                f"segment {segment.name}: item '{segment.item}' is not in the catalogue; name one that is"
            )
    begins = inputs.today + 1
    return Campaign(PREFIX + segment.name, segment.name, KIND, begins, begins + DAYS, targets, "")


def described(segment: SegmentSettings, day: date) -> dict[str, Any]:
    """The segment as a row of the campaigns feed."""
    return {
        "campaign_id": PREFIX + segment.name, "campaign_name": segment.name, "campaign_kind": KIND,
        "starts_on": day + timedelta(1), "ends_on": day + timedelta(1 + DAYS),
    }  # fmt: skip


def creative(one: Campaign, texts: np.ndarray) -> np.ndarray:
    """Text vector of what a segment is about; zeros when about nothing."""
    return texts[one.targets].mean(0) if len(one.targets) else np.zeros(texts.shape[1], texts.dtype)


def members(segment: SegmentSettings, night: Night, users: pa.Array) -> np.ndarray:
    """Who a segment is made of: bool [U]; all for one by item, nobody as long as no profiles are published.

    Raises:
        ConfigError: an expression that says what it must not, or seeds that cannot be read.
    """
    if segment.item is not None:
        return np.ones(len(users), bool)
    tree = attributes.parse(segment.where) if segment.where is not None else None
    before = desk.parent(night)
    if before is None or USER_PROFILES.name not in before.manifest.tables:
        return np.zeros(len(users), bool)
    profiles = before.table(USER_PROFILES.name)
    known = profiles.column("user_key").combine_chunks()
    if tree is not None:
        columns = {name: profiles.column(name) for name in set(attributes.ATTRIBUTES.values())}
        chosen = attributes.evaluate(tree, columns)
    else:
        chosen = _like(segment, night, profiles)
    return np.asarray(pc.is_in(users, known.filter(pa.array(chosen))))


def _like(segment: SegmentSettings, night: Night, profiles: pa.Table) -> np.ndarray:
    """The users nearest in taste to the mean of the seeds, the seeds among them: bool [P]."""
    seeds = user_keys(load_secret(night.home / "secrets"), pa.array(list(_seeds(segment)), pa.string()))
    is_seed = np.asarray(pc.is_in(profiles.column("user_key"), seeds))
    least = night.shop.audiences.min_size
    if is_seed.sum() < least:
        raise ConfigError(f"segment {segment.name}: fewer than {least:,} of its seeds have a profile; name more users")
    taste = np.array(profiles.column("embedding").to_pylist(), np.float64)
    nearness = np.round(taste @ taste[is_seed].mean(0), 6)
    return nearness >= np.quantile(nearness, 1 - segment.like_share)


def _seeds(segment: SegmentSettings) -> Iterable[str]:
    path = Path(segment.like or "")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if "user_id" not in (reader.fieldnames or ()):
                raise ConfigError(f"{path}: no column user_id; write it as its header")
            return [row["user_id"] for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"segment {segment.name}: {path} is not readable ({error}); mend the file") from error
