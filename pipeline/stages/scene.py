"""What a night is balanced by, opened once: last night's lists, the contract's facts, tastes, consents, the policy.

Not here: which lists come of it (`balance.surface`), and writing them (`stages.balance`).
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from pipeline.balance import coherence
from pipeline.balance.coherence import Facts
from pipeline.balance.surfaces import Shopper, top_shelves
from pipeline.features.history import History
from pipeline.models import open_baskets, scoring
from pipeline.models.cart import Complements
from pipeline.policy import Policy
from pipeline.settings import Night
from pipeline.stages import consenting, desk, score_cart
from pipeline.stages.before import Before
from pipeline.stages.goods import Goods
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.stages.sorted_keys import places

TOP_SHELVES = 3  # a category page is of one of so many


@dataclass(frozen=True)
class Scene:
    """One night. Shapes: U users of the history, I items, of which those after tonight's catalogue are gone.

    Attributes:
        night: whose files are read.
        as_of: an earlier day, as of whose end all of it is; nothing was shown before a day that is looked back at.
        opened: what is read, where another scene of the night has opened it.
    """

    night: Night
    as_of: date | None = None
    opened: RankingInputs | None = None

    @property
    def day(self) -> date:
        """The day as of whose end all of it is."""
        return self.as_of or self.night.day

    @cached_property
    def inputs(self) -> RankingInputs:
        """Items, texts and history."""
        return self.opened or RankingInputs(self.night)

    def back(self, day: date) -> "Scene":
        """The same night's as of the end of an earlier day."""
        return Scene(self.night, day, self.inputs)

    @property
    def policy(self) -> Policy:
        """The shop's."""
        return self.night.shop.policy

    @cached_property
    def before(self) -> Before:
        """What readers have."""
        return Before(None if self.as_of else desk.parent(self.night), self.inputs.space.ids)

    @cached_property
    def history(self) -> History:
        """Users and items."""
        return self.inputs.history(self.day)

    @cached_property
    def shelves(self) -> pa.Array:
        """Names of the categories by which lists are compared: the second level of a path, else the first."""
        return pc.unique(self.shelf_names).sort()

    @cached_property
    def shelf(self) -> np.ndarray:
        """Int [I] category of each item; -1 for those that are gone."""
        known = np.asarray(pc.index_in(self.shelf_names, self.shelves)).astype(np.int64)
        return np.r_[known, np.full(self._gone, -1)]

    @cached_property
    def tastes(self) -> sp.csr_matrix:
        """Share of each category in what a user took, halved per 30 days of age: float64 CSR [U, G]."""
        items = len(self.inputs.space.ids)
        of = sp.csr_matrix((np.ones(items), (np.arange(items), self.shelf[:items])), shape=(items, len(self.shelves)))
        return normalize((self.history.weight @ of).astype(np.float64), "l1").tocsr()

    @cached_property
    def visits(self) -> np.ndarray:
        """Baskets of each user: int [U]."""
        lines = self.history.lines
        return lines.basket[lines.start[1:] - 1] - lines.basket[lines.start[:-1]] + 1

    @cached_property
    def facts(self) -> Facts:
        """The contract's, without any user."""
        recommendable = np.r_[
            self.inputs.space.recommendable & (self.history.buyers_recent > 0), np.zeros(self._gone, bool)
        ]
        nobody = sp.csr_matrix((0, len(recommendable)), dtype=np.float32)
        baskets = _wider(self.history.baskets, self._gone)
        shelf = np.maximum(self.shelf, 0)
        return coherence.gather(self.policy, recommendable, baskets, nobody, shelf, self.disliked)

    @property
    def disliked(self) -> np.ndarray | None:
        """Items under the sentiment floor tonight: bool [I]; None where the shop hands over no reviews."""
        named = desk.noted(self.night, "scored-review_sentiment")["disliked"]
        return None if named is None else np.asarray(pc.is_in(self.before.ids, pa.array(named, pa.string())))

    @cached_property
    def goods(self) -> Goods:
        """What may be listed tonight, in groups."""
        return Goods.of(self.night, self.shelf_names)

    @cached_property
    def penalty(self) -> np.ndarray:
        """Log-odds that each item loses for what the audit found of its groups: float [I]."""
        most = self.policy.audit.penalty_most
        return np.clip(self.goods.penalty(self.before.ids), -most, most)

    @cached_property
    def complements(self) -> Complements:
        """What surely goes with what."""
        return score_cart.complements(self.night)

    @cached_property
    def held(self) -> sp.csr_matrix:
        """Last baskets: bool CSR [U, I of the catalogue]."""
        return open_baskets.last(self.history)

    @cached_property
    def lifts(self) -> sp.csr_matrix:
        """Log of the sure lift: CSR [I, I] of the catalogue."""
        return self.complements.matrix(len(self.inputs.space.ids))

    @cached_property
    def consents(self) -> tuple[pa.Array, pa.Array]:
        """All users, and those who consent to personalised ads."""
        return consenting.users(self.night, "consent_personalisation", "consent_ad_personalization")

    @cached_property
    def active(self) -> pa.Array:
        """Who did anything since last night's lists; before the first night, on the day."""
        return desk.active_since(self.night, self.before.day or self.day - timedelta(1), self.day)

    def idle(self, users: pa.Array) -> np.ndarray:
        """Who did nothing since last night's lists: bool [B]."""
        return places(users, self.active) < 0

    def of(self, users: pa.Array, *, personal: bool) -> "Company":
        """A block of users; of whom nothing may be read nothing is."""
        rows = places(users, self.history.users) if personal else np.full(len(users), -1)
        tastes, age, held = (_rows(one, rows) for one in (self.tastes, self.history.age, self.held))
        ads = (places(users, self.consents[1]) >= 0) & personal
        idle, facts = self.idle(users) | (rows < 0), replace(self.facts, age=_wider(age, self._gone))
        visits = np.where(rows < 0, 0, self.visits[rows])
        return Company(users, rows, tastes, held, ads, visits, facts, idle, self.lifts)

    @property
    def _gone(self) -> int:
        return len(self.before.ids) - len(self.inputs.space.ids)

    @cached_property
    def shelf_names(self) -> pa.Array:
        """Category by which each item of the catalogue is compared."""
        paths = (path or "other" for path in self.inputs.catalogue.column("category").to_pylist())
        return pa.array([path.split(" > ")[:2][-1] for path in paths], pa.string())


@dataclass(frozen=True)
class Company:
    """A block of users.

    Attributes:
        users: user keys, ascending [B].
        rows: int [B] their places in the history, -1 where nothing of them is read.
        tastes: CSR [B, G].
        held: bool CSR [B, I] their last baskets.
        ads: bool [B] consent to personalised ads.
        evidence: int [B] baskets.
        facts: the contract's, with their purchases.
        idle: bool [B].
        lifts: as of `Scene.lifts`.
    """

    users: pa.Array
    rows: np.ndarray
    tastes: sp.csr_matrix
    held: sp.csr_matrix
    ads: np.ndarray
    evidence: np.ndarray
    facts: Facts
    idle: np.ndarray
    lifts: sp.csr_matrix

    @cached_property
    def who(self) -> Shopper:
        """What views ask of them; computes what goes with their last baskets."""
        pulled = scoring.product(self.held.astype(self.lifts.dtype), self.lifts)
        return Shopper(top_shelves(self.tastes.toarray(), TOP_SHELVES), pulled, self.ads)


def _rows(matrix: sp.csr_matrix, rows: np.ndarray) -> sp.csr_matrix:
    """Rows of a matrix, empty ones where the place is -1."""
    known = rows >= 0
    found, sizes = matrix[rows[known]], np.zeros(len(rows), np.int64)
    sizes[known] = np.diff(found.indptr)
    return sp.csr_matrix((found.data, found.indices, np.r_[0, sizes.cumsum()]), shape=(len(rows), matrix.shape[1]))


def _wider(matrix: sp.csr_matrix, more: int) -> sp.csr_matrix:
    """With so many empty columns behind."""
    matrix = sp.csr_matrix(matrix)
    return sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], matrix.shape[1] + more))
