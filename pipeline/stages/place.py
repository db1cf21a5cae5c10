"""Stage ad_placements: what stands in each user's ad slots, of the night's plan, balanced lists and layouts.

On a page an ad stands inside the module `offers`, where the user's layout has it. Not here: which of several
candidates is taken (`models.ads`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import merge
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline import at_work
from pipeline.balance import coherence
from pipeline.contracts.tables import (
    AD_AUDIENCE_SUMMARY,
    AD_AUDIENCES,
    AD_PLACEMENTS,
    PAGE_LAYOUTS,
    RECOMMENDATIONS,
)
from pipeline.features.responses import Campaign
from pipeline.models import ads
from pipeline.models.ads import NOTHING, Candidates, Stood
from pipeline.pages import ADS
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk, free_lists, score_recommendations, standing
from pipeline.stages.free_lists import Free
from pipeline.stages.response_inputs import ResponseInputs
from pipeline.stages.scene import Company, Scene
from pipeline.stages.sorted_keys import rows_of
from pipeline.tables import placements as table
from pipeline.warehouse.staging import Staging

GONE = -2  # a campaign or an item that is no longer there
COLUMNS = ["campaign_id", "user_key", "propensity", "expected_value_cents"]
STOOD = ["user_key", "surface", "slot", "campaign_id", "item_id", "kept_since"]


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Fill the ad slots of users who agree to personalised ads; none where the shop's pages have none."""
    staging = Staging.open(night.warehouse, night.day, night.run)
    parts: list[pa.Table] = []
    empty = "the shop's pages have no ad slots"
    if night.shop.pages.ads:
        empty = "no campaign plans a contact, and nobody has ads of their own"
        parts = list(_placed(_Slots(Scene(night), staging), progress))
    progress(1, 1)
    file = staging.write(AD_PLACEMENTS, pa.concat_tables(parts) if parts else AD_PLACEMENTS.schema.empty_table())
    recorder.metrics({f"rows/{file.name}": file.rows})
    facts = {"rows": {file.name: file.rows}, "empty": empty}
    desk.note(night, "placed", facts)
    return facts


def _placed(slots: "_Slots", progress: desk.Progress) -> Iterator[pa.Table]:
    scene, done = slots.scene, 0

    def work(free: Free) -> tuple[int, list[pa.Table]]:
        company = scene.of(free.users, personal=True)
        liking = _liking(free.items, len(scene.before.ids))
        pages = scene.night.shop.pages.ads.items()
        return len(free.users), [slots.of(surface, count, company, liking) for surface, count in pages]

    asked = free_lists.read_bare(scene.night, score_recommendations.TONIGHT)
    ranked = merge(asked, standing.blocks(scene), key=lambda block: str(block.users[0]))
    for count, tables in at_work.after_one(work, ranked, scene.night.shop.threads):
        yield from tables
        done += count
        progress(done, len(scene.history.users) + 1)


def _liking(items: np.ndarray, width: int) -> sp.csr_matrix:
    """How early each user's ranking names an item, the first most: CSR [B, I]."""
    user, place = np.nonzero(items >= 0)
    return sp.csr_matrix(
        ((items.shape[1] - place).astype(np.float64), (user, items[user, place])), shape=(len(items), width)
    )


@dataclass(frozen=True)
class _Slots:
    """What fills slots tonight."""

    scene: Scene
    staging: Staging

    @cached_property
    def campaigns(self) -> list[Campaign]:
        """Campaigns of the plan that name goods."""
        asked = set(self.planned.column("campaign_id").to_pylist())
        known = [
            replace(one, targets=one.targets[one.targets >= 0])
            for one in ResponseInputs(self.scene.night, "").campaigns
        ]
        return [one for one in known if one.id in asked and len(one.targets)]

    @cached_property
    def planned(self) -> pa.Table:
        """Contacts of the night's plan."""
        return self.staging.read(AD_AUDIENCES.name, COLUMNS, pc.field("is_planned"))

    @cached_property
    def plans(self) -> dict[str, pa.Table]:
        """Those of each campaign, by user."""
        by_user = self.planned.sort_by("user_key")
        return {one.id: by_user.filter(pc.equal(by_user.column("campaign_id"), one.id)) for one in self.campaigns}

    @cached_property
    def names(self) -> dict[str, str]:
        """Campaigns' names by id."""
        told = self.staging.read(AD_AUDIENCE_SUMMARY.name, ["campaign_id", "campaign_name"])
        return dict(zip(*(column.to_pylist() for column in told.columns), strict=True))

    @cached_property
    def titles(self) -> list[str]:
        """Items' names by place; of those that are gone none is shown."""
        return [str(name) for name in self.scene.inputs.catalogue.column("title").to_pylist()]

    @cached_property
    def own(self) -> pa.Table:
        """Everybody's own list of ads, as balanced."""
        return self.staging.read(RECOMMENDATIONS.name, ["user_key", "rank", "item_id"], pc.field("surface") == "ad")

    @cached_property
    def layouts(self) -> pa.Table:
        """Who has the module that ads stand in on which page."""
        return self.staging.read(PAGE_LAYOUTS.name, ["user_key", "surface"], pc.field("module") == ADS)

    @cached_property
    def last(self) -> pa.Table:
        """What stood there last night."""
        parent = desk.parent(self.scene.night)
        if parent is None or AD_PLACEMENTS.name not in parent.manifest.tables:
            return AD_PLACEMENTS.schema.empty_table()
        return parent.table(AD_PLACEMENTS.name, STOOD)

    @cached_property
    def common(self) -> np.ndarray:
        """How well items sell: float [I]."""
        sells = self.scene.history.buyers_recent.astype(float)
        return np.r_[sells, np.zeros(len(self.scene.before.ids) - len(sells))]

    def of(self, surface: str, count: int, company: Company, liking: sp.csr_matrix) -> pa.Table:
        """Rows of a block of users on one surface."""
        scene, users = self.scene, company.users
        has_place = company.ads
        if surface in scene.night.shop.pages.surfaces:
            near = rows_of(users, self.layouts, "user_key")
            there = near.filter(pc.equal(near.column("surface"), surface))
            has_place = has_place & np.asarray(pc.is_in(users, there.column("user_key").combine_chunks()))
        open_to, stood = coherence.eligible(company.facts, surface), self._stood(surface, users)
        found = [self._bids(number, company, liking, open_to, stood) for number in range(len(self.campaigns))]
        every = Candidates.together([*found, self._picks(company, stood)])
        allowed = open_to[0][every.item] & (_at(open_to[1], every.user, every.item) == 0)
        shown, slot = ads.fill(every.take(np.flatnonzero(has_place[every.user] & allowed)), count)
        since, cause = stood.told(shown, company.idle, np.datetime64(scene.night.day))
        return table.rows(
            surface,
            users,
            shown,
            slot,
            campaigns=[(one.id, self.names.get(one.id, one.name)) for one in self.campaigns],
            items=scene.before.ids,
            titles=self.titles,
            since=since,
            cause=cause,
        )

    def _bids(
        self,
        number: int,
        company: Company,
        liking: sp.csr_matrix,
        open_to: tuple[np.ndarray, sp.csr_matrix],
        stood: Stood,
    ) -> Candidates:
        """What a campaign would show to the users of a block that it plans to contact."""
        campaign, users = self.campaigns[number], company.users
        mine = rows_of(users, self.plans[campaign.id], "user_key")
        row = _places(mine.column("user_key"), users)
        here, user = row >= 0, row[row >= 0]
        goods = np.sort(campaign.targets)
        item, known = ads.goods_for(user, goods, liking, self.common, open_to, stood.item_of(number)[user])
        chance, value = (np.asarray(mine.column(name))[here] for name in ("propensity", "expected_value_cents"))
        some = np.flatnonzero(item >= 0)
        each = np.full(len(user), number)
        return Candidates(user, each, item, value, chance, known, stood.slot_of(user, each, item)).take(some)

    def _picks(self, company: Company, stood: Stood) -> Candidates:
        """The shop's own picks: each user's list of ads, for what campaigns leave."""
        near = rows_of(company.users, self.own, "user_key")
        row = _places(near.column("user_key"), company.users)
        mine = np.flatnonzero(row >= 0)
        rows, user = near.take(pa.array(mine)), row[mine]
        item = _places(rows.column("item_id"), self.scene.before.ids)
        value, none = -np.asarray(rows.column("rank")).astype(float), np.full(len(user), NOTHING)
        known, unsure = np.ones(len(user), bool), np.full(len(user), np.nan)
        return Candidates(user, none, item, value, unsure, known, stood.slot_of(user, none, item))

    def _stood(self, surface: str, users: pa.Array) -> Stood:
        """What of last night is about a block of users and one surface."""
        near = rows_of(users, self.last, "user_key")
        rows = near.filter(pc.equal(near.column("surface"), surface))
        row = _places(rows.column("user_key"), users)
        rows, user = rows.filter(pa.array(row >= 0)), row[row >= 0]
        ids = pa.array([one.id for one in self.campaigns], pa.string())
        own, number = np.asarray(rows.column("campaign_id").is_null()), _places(rows.column("campaign_id"), ids, GONE)
        item = _places(rows.column("item_id"), self.scene.before.ids, GONE)
        since = np.asarray(rows.column("kept_since")).astype("datetime64[D]")
        return Stood(user, np.where(own, NOTHING, number), item, np.asarray(rows.column("slot")), since, len(users))


def _places(values: pa.ChunkedArray, known: pa.Array, none: int = -1) -> np.ndarray:
    """Where each value is among the known ones: int [N]."""
    return np.asarray(pc.fill_null(pc.index_in(values, known), none)).astype(np.int64)


def _at(matrix: sp.csr_matrix, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[row, column]).ravel() if len(row) else np.zeros(0)
