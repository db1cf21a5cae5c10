"""Files that leave the house: audiences of a snapshot, written as an orders file asks for.

The same orders on the same snapshot give the same files, so a rerun changes nothing. Addresses are read from the shop's
own file, hashed for one platform and one file, and kept nowhere. Not here: when (dags/audiences.py) and how a file is
written (`reports.export`).
"""

import csv
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.errors import ConfigError, Refused
from pipeline.privacy.keys import load_secret, user_key
from pipeline.reports import export
from pipeline.section import Section, read
from pipeline.settings import Night
from pipeline.warehouse import snapshot as snapshots
from pipeline.warehouse.snapshot import Snapshot

log = logging.getLogger(__name__)

ORDERS, LIST = "exports.yaml", "exports.json"
Platform = Literal["google", "linkedin", "meta", "pinterest", "snapchat", "tiktok"]


class Order(Section):
    """One file that marketing asks for."""

    campaign: str = Field(min_length=1)
    file: str = Field(pattern=r"^\w[\w.-]*$", description="name of the file, no folder")
    format: export.Format | None = Field(default=None, description="by the file's name when left out")
    platform: Platform | None = Field(
        default=None, description="hashed addresses for an ad platform instead of a table"
    )
    addresses: Path | None = Field(default=None, description="CSV of user_id and email; relative to the orders file")
    include_holdout: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> "Order":
        if (self.platform is None) != (self.addresses is None):
            raise ValueError("platform and addresses go together: a platform knows people by address only")
        if self.platform and (self.include_holdout or self.format):
            raise ValueError("a platform's file has a form of its own and never holds the hold-out")
        if not self.platform:
            _ = self.kind  # raises when there is none
        return self

    @property
    def kind(self) -> export.Format:
        """The file's format: the one asked for, else by its name.

        Raises:
            ValueError: its name tells none.
        """
        suffix = Path(self.file).suffix.removeprefix(".")
        chosen = self.format or next((known for known in export.FORMATS if known == suffix), None)
        if chosen is None:
            raise ValueError(f"format '{suffix}' of {self.file}: choose one of {', '.join(export.FORMATS)}")
        return chosen


class Orders(Section):
    """What marketing asks for after each night."""

    exports: tuple[Order, ...] = ()

    @model_validator(mode="after")
    def _files_differ(self) -> "Orders":
        names = [order.file for order in self.exports]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"file {', '.join(twice)} is asked for twice")
        return self


def load(path: Path) -> Orders:
    """Read an orders file.

    Raises:
        ConfigError: it is not readable, or a key is missing, unknown or wrong.
    """
    orders = read(path, Orders, "orders")
    found = [
        order.model_copy(update={"addresses": path.parent / order.addresses}) if order.addresses else order
        for order in orders.exports
    ]
    return Orders(exports=tuple(found))


def deliver(night: Night, snapshot_id: str | None = None, orders: Path | None = None) -> dict[str, Any]:
    """Write all files that are asked for into the snapshot's folder of exports, and a list of them beside.

    Args:
        night: any night of the shop.
        snapshot_id: the snapshot to read; the current one when left out.
        orders: the orders file; `exports.yaml` among the shop's files when left out, and nothing when there is none.

    Returns:
        The list: folder, and for each file its rows and SHA-256, or why it was refused.

    Raises:
        ConfigError: a bad orders file.
    """
    path = orders or night.root / ORDERS
    asked = load(path).exports if orders or path.exists() else ()
    with snapshots.pinned(night.warehouse, snapshot_id) as source:
        folder = night.root / export.FOLDER / source.id
        folder.mkdir(parents=True, exist_ok=True)
        files = {order.file: _fill(night, source, order, folder / order.file) for order in asked}
    for left in folder.iterdir():  # of orders that stand no more
        if left.name not in files or "refused" in files[left.name]:
            left.unlink()
    told = {"snapshot": source.id, "files": files}
    (folder / LIST).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return {"folder": str(folder), **told}


def to_platform(night: Night, source: Snapshot, campaign: str, platform: str, addresses: Path, out: Path) -> int:
    """Write one audience's hashed addresses for a platform, of users who agree to ads as of the last arrivals.

    Raises:
        ConfigError: unknown campaign, or the file of addresses is not readable.
        Refused: the audience is withheld, or too few of its users have an address.
    """
    from pipeline.stages import consenting
    from pipeline.stages.score_audiences import CONSENTS

    _everyone, consents = consenting.users(replace(night, day=date.max), *CONSENTS)
    known = _by_key(_addresses(addresses), load_secret(night.home / "secrets"))
    rate = night.shop.audiences.match_rate
    return export.export_to_platform(source, campaign, platform, known, consents.to_pylist(), out, rate)


def _fill(night: Night, source: Snapshot, order: Order, out: Path) -> dict[str, Any]:
    try:
        if order.platform and order.addresses:
            rows = to_platform(night, source, order.campaign, order.platform, order.addresses, out)
        else:
            rows = export.export_audience(
                source, order.campaign, order.kind, out, include_holdout=order.include_holdout
            )
    except (Refused, ConfigError) as refused:  # the others still go out
        log.warning("%s: %s", order.file, refused)
        return {"refused": str(refused)}
    with out.open("rb") as opened:
        return {"rows": rows, "sha256": hashlib.file_digest(opened, "sha256").hexdigest()}


def _addresses(path: Path) -> Iterable[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"user_id", "email"} <= set(reader.fieldnames or ()):
                raise ConfigError(f"{path}: no columns user_id and email; write them as its header")
            return [(row["user_id"], row["email"] or "") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not readable as CSV ({error}); mend the file") from error


def _by_key(addresses: Iterable[tuple[str, str]], secret: bytes) -> Mapping[str, str]:
    return {user_key(secret, user): email for user, email in addresses}
