"""What the audit is told of the world, from feeds and features, and the promises recounted on the staged night."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis import _

from pipeline.audit.finding import Finding
from pipeline.audit.numbers import Numbers
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
PLACED = ("ad_placements", "ad_audiences")
WORDS = frozenset({"reason", "summary", "embedding"})  # columns from which nothing is counted, by far the largest


def frame(night: Night, staged: Mapping[str, pa.Table], also: Sequence[Finding]) -> pa.Table:
    """Rows of the frame `promises` on the staged tables by name, and those found elsewhere."""
    parent, scene = desk.parent(night), Scene(night)
    tonight = {name: staged[name].select(_counted(staged[name].schema)) for name in (*JUDGED, *PLACED)}
    last = {name: _last(parent, name) for name in JUDGED if parent and name in parent.manifest.tables}
    users = pa.table({"user_key": scene.consents[0]})
    numbers = Numbers.of([*tonight.values(), *last.values(), users, scene.inputs.catalogue])
    tonight, last = numbers.tables(tonight), numbers.tables(last)
    seen = world(scene, staged[OPERATING_POINT.name], parent, numbers)
    pages = night.shop.pages
    slots = {str(name): count for name, count in pages.ads.items()}
    ads = placements(tonight, seen, _goods(night, numbers), slots, pages.surfaces)
    return promises(tonight, last, seen, [*also, ads])


def _counted(schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if name not in WORDS]


def _last(parent: Snapshot, name: str) -> pa.Table:
    return parent.table(name, _counted(pq.read_schema(parent.path(name))))


def _goods(night: Night, numbers: Numbers) -> dict[str, list[int]]:
    """Items of each campaign, by number; of those that stand in no table nothing can be shown."""
    rows = desk.landed(desk.connect(night), night, "campaigns")
    if rows is None:
        return {}
    found = partitions.latest(rows, "campaign_id").select("campaign_id", "target_item_ids").to_pyarrow()
    items = ((row["campaign_id"], pa.array(row["target_item_ids"] or [], pa.string())) for row in found.to_pylist())
    return {campaign: numbers.of_items(known) for campaign, known in items}


def world(scene: Scene, points: pa.Table, parent: Snapshot | None, numbers: Numbers) -> World:
    """What happened, as of the night, by numbers."""
    night, last_day = scene.night, parent.manifest.day if parent else None
    _everyone, readable = consenting.users(night, "consent_personalisation")
    goods = scene.inputs.catalogue.select(["item_id"]).append_column("shelf", scene.shelf_names)
    fit = pa.array(scene.facts.showable[: len(goods)])
    once = scene.inputs.lines.filter(_.ds <= night.day).select("user_key", "item_id", "basket_id", "ds").distinct()
    taken = once.group_by("user_key", "item_id").agg(times=_.count(), last_on=_.ds.max()).to_pyarrow()
    (point,) = points.filter(pc.field("is_chosen")).to_pylist()
    may_be_read, ads = set(numbers.of_users(readable)), numbers.of_users(scene.consents[1])
    return World(
        day=night.day,
        last_day=last_day,
        active=may_be_read & set(numbers.of_users(scene.active)),
        readable=may_be_read,
        items=numbers.table(goods.append_column("recommendable", fit)).to_pandas(),
        taken=numbers.table(taken).to_pandas(date_as_object=False),
        budgets={
            "idle": Budget(point["budget_idle"], point["pinned_idle"]),
            "active": Budget(point["budget_active"], night.shop.policy.pinned_active),
        },
        policy=night.shop.policy,
        ads=set(ads),
        same_pages=parent is None or parent.manifest.policy_hash == night.shop.policy_hash,
    )
