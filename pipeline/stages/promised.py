"""What the audit is told of the world, from feeds and features, and the promises recounted on the staged night."""

from collections.abc import Mapping, Sequence

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.finding import Finding
from pipeline.audit.placements import placements
from pipeline.audit.promises import promises
from pipeline.audit.recount import Budget, World
from pipeline.contracts.tables import OPERATING_POINT
from pipeline.feeds import partitions
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.scene import Scene
from pipeline.warehouse.snapshot import Snapshot

JUDGED = ("recommendations", "cart_recommendations", "experience", "change_ledger", "user_profiles", "page_layouts")


def frame(night: Night, staged: Mapping[str, pa.Table], also: Sequence[Finding]) -> pa.Table:
    """Rows of the frame `promises` on the staged tables by name, and those found elsewhere."""
    parent = desk.parent(night)
    tonight = {name: staged[name] for name in JUDGED}
    last = {name: parent.table(name) for name in JUDGED if parent and name in parent.manifest.tables}
    seen = world(night, staged[OPERATING_POINT.name], parent)
    pages = night.shop.pages
    ads = placements(
        staged, seen, _goods(night), {str(name): count for name, count in pages.ads.items()}, pages.surfaces
    )
    return promises(tonight, last, seen, [*also, ads])


def _goods(night: Night) -> dict[str, list[str]]:
    """Item ids of each campaign."""
    rows = desk.landed(desk.connect(night), night, "campaigns")
    if rows is None:
        return {}
    found = partitions.latest(rows, "campaign_id").select("campaign_id", "target_item_ids").to_pyarrow()
    return {row["campaign_id"]: row["target_item_ids"] or [] for row in found.to_pylist()}


def world(night: Night, points: pa.Table, parent: Snapshot | None) -> World:
    """What happened, as of the night."""
    scene, last_day = Scene(night), parent.manifest.day if parent else None
    _everyone, readable = consenting.users(night, "consent_personalisation")
    goods = scene.inputs.catalogue.select(["item_id"]).append_column("shelf", scene.shelf_names)
    fit = pa.array(scene.facts.showable[: len(goods)])
    lines = desk.lines(night).select("user_key", "item_id", "basket_id", "ds").filter(ibis._.ds <= night.day)
    (point,) = points.filter(pc.field("is_chosen")).to_pylist()
    return World(
        day=night.day,
        last_day=last_day,
        active=set(scene.active.to_pylist()) & set(readable.to_pylist()),
        readable=set(readable.to_pylist()),
        items=goods.append_column("recommendable", fit).to_pandas(),
        lines=lines.to_pyarrow().to_pandas(),
        budgets={
            "idle": Budget(point["budget_idle"], point["pinned_idle"]),
            "active": Budget(point["budget_active"], night.shop.policy.pinned_active),
        },
        policy=night.shop.policy,
        ads=set(scene.consents[1].to_pylist()),
        same_pages=parent is None or parent.manifest.policy_hash == night.shop.policy_hash,
    )
