"""What the audit is told of the world, from feeds and features, and the promises recounted on the staged night."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _
from pyarrow import dataset
from pyarrow.dataset import Dataset

from pipeline.audit import agreement, pages, recount
from pipeline.audit.finding import Finding
from pipeline.audit.numbers import Numbers
from pipeline.audit.placements import placements
from pipeline.audit.promises import Part, promises
from pipeline.audit.recount import Budget, World
from pipeline.contracts.tables import EXPERIENCE, OPERATING_POINT
from pipeline.feeds import partitions
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.scene import Scene
from pipeline.stages.spans import USERS, Span

CARTS, AUDIENCES = "cart_recommendations", "ad_audiences"
# What is counted from, of tonight and of last night, by table.
JUDGED = {
    "recommendations": recount.COLUMNS,
    CARTS: ["context", "context_id", *recount.COLUMNS],
    "experience": [name for name in EXPERIENCE.names if name not in ("coherence", "calibration_kl")],
    "change_ledger": agreement.SAID,
    "user_profiles": ["user_key", "category_affinities"],
    "page_layouts": [*pages.SLOT, "module", "is_anchor", "change_cause", "moved_on"],
}
PLACED = {
    "ad_placements": ["user_key", "surface", "slot", "campaign_id", "item_id"],
    AUDIENCES: ["campaign_id", "user_key", "is_planned"],
}


def frame(night: Night, staged: Mapping[str, Dataset], also: Sequence[Finding], users: int = USERS) -> pa.Table:
    """Rows of the frame `promises` on the staged tables by name, and those found elsewhere.

    Args:
        night: whose.
        staged: tables, read as asked for.
        also: findings of promises that are recounted elsewhere.
        users: that are recounted at a time: what one is promised never hangs on another's rows.
    """
    return promises(_Told(night, staged, users).parts(), also, night.shop.threads)


@dataclass(frozen=True)
class _Told:
    """What happened, as of the night, and what tables say of it, user by user."""

    night: Night
    staged: Mapping[str, Dataset]
    users: int

    def parts(self) -> Iterator[Part]:
        """One after the other, by numbers."""
        for span, taken in zip(self.spans, self.taken, strict=True):
            tonight = {name: span.rows(self.staged[name], columns) for name, columns in (JUDGED | PLACED).items()}
            last = {name: span.rows(table, JUDGED[name]) for name, table in self.last.items()}
            numbers = Numbers.of([*tonight.values(), *last.values(), self.scene.inputs.catalogue])
            tonight, last = numbers.tables(tonight), numbers.tables(last)
            seen = self.world(taken, numbers)
            settings = self.night.shop.pages
            slots = {str(name): count for name, count in settings.ads.items()}
            goods = {campaign: numbers.of_items(items) for campaign, items in self.goods.items()}
            yield Part(tonight, last, seen, [placements(tonight, seen, goods, slots, settings.surfaces)])

    @cached_property
    def scene(self) -> Scene:
        """Items, consents and who acted."""
        return Scene(self.night)

    @cached_property
    def spans(self) -> list[Span]:
        """All users."""
        return Span.all_of(self.scene.consents[0], self.users)

    @cached_property
    def last(self) -> dict[str, Dataset]:
        """Tables of the snapshot before."""
        parent = self.scene.before.parent
        names = [name for name in JUDGED if parent and name in parent.manifest.tables]
        return {name: dataset.dataset(parent.path(name)) for name in names if parent}

    @cached_property
    def taken(self) -> list[pa.Table]:
        """Rows as of `World.taken`, by span."""
        lines = desk.lines(self.night, desk.connect(self.night))
        once = lines.filter(_.ds <= ibis.literal(self.night.day))
        once = once.select("user_key", "item_id", "basket_id", "ds").distinct()
        rows = once.group_by("user_key", "item_id").agg(times=_.count(), last_on=_.ds.max())
        return [_short(span.lines(rows).to_pyarrow()) for span in self.spans]

    @cached_property
    def tried(self) -> pa.Table:
        """Rows as of `World.tried`, of everybody."""
        counts = [recount.buyers(one.select(["item_id", "times"]).to_pandas()) for one in self.taken]
        rows = pa.Table.from_pandas(pd.concat(counts).groupby("item_id").sum().reset_index())
        return rows.replace_schema_metadata()  # which says that keys are words, even once they are numbers

    @cached_property
    def readable(self) -> pa.Array:
        """Keys of users whose own purchases may be read."""
        return consenting.users(self.night, "consent_personalisation")[1]

    @cached_property
    def goods(self) -> dict[str, pa.Array]:
        """Items of each campaign."""
        rows = desk.landed(desk.connect(self.night), self.night, "campaigns")
        if rows is None:
            return {}
        found = partitions.latest(rows, "campaign_id").select("campaign_id", "target_item_ids").to_pyarrow()
        return {row["campaign_id"]: pa.array(row["target_item_ids"] or [], pa.string()) for row in found.to_pylist()}

    @cached_property
    def items(self) -> pa.Table:
        """Rows as of `World.items`: what may be listed, and is not under the sentiment floor."""
        catalogue = self.scene.inputs.catalogue
        goods = catalogue.select(["item_id"]).append_column("shelf", self.scene.shelf_names)
        disliked = desk.noted(self.night, "scored-review_sentiment")["disliked"] or []
        liked = pc.invert(pc.is_in(goods.column("item_id"), pa.array(disliked, pa.string())))
        return goods.append_column("recommendable", pc.and_(catalogue.column("is_recommendable"), liked))

    @cached_property
    def budgets(self) -> dict[str, Budget]:
        """What a night may change, by state."""
        (point,) = self.staged[OPERATING_POINT.name].to_table(filter=pc.field("is_chosen")).to_pylist()
        return {
            "idle": Budget(point["budget_idle"], point["pinned_idle"]),
            "active": Budget(point["budget_active"], self.night.shop.policy.pinned_active),
        }

    def world(self, taken: pa.Table, numbers: Numbers) -> World:
        """What happened, to some users, by numbers."""
        night, parent = self.night, self.scene.before.parent
        readable = set(numbers.of_users(self.readable))
        return World(
            day=night.day,
            last_day=parent.manifest.day if parent else None,
            active=readable & set(numbers.of_users(self.scene.active)),
            readable=readable,
            items=numbers.table(self.items).to_pandas(),
            taken=numbers.table(taken).to_pandas(date_as_object=False),
            budgets=self.budgets,
            policy=night.shop.policy,
            ads=set(numbers.of_users(self.scene.consents[1])),
            same_pages=parent is None or parent.manifest.policy_hash == night.shop.policy_hash,
            tried=numbers.table(self.tried).drop_null().to_pandas(),
        )


def _short(rows: pa.Table) -> pa.Table:
    """The same with each key kept once."""
    for place, name in enumerate(("user_key", "item_id")):
        rows = rows.set_column(place, name, rows.column(name).dictionary_encode())
    return rows
