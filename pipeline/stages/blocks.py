"""A night's users block by block, and every surface's lists of a block: the way the stage and the replay both take.

Not here: rows (`stages.balance_rows`) and the rules (`pipeline.balance`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.balance import coherence, explore
from pipeline.balance.core import common
from pipeline.balance.exposure import weighed
from pipeline.balance.point import Point
from pipeline.balance.surface import ACTIVE, IDLE, NEW, Balanced, Rankings, Standing, balance_surface
from pipeline.balance.surfaces import Ranked, views
from pipeline.stages import at_rest, free_lists, score_cart, score_recommendations, standing
from pipeline.stages.before import CART, Shown, Told
from pipeline.stages.free_lists import Free
from pipeline.stages.scene import Company, Scene


@dataclass(frozen=True)
class Block:
    """Users and what the models alone would show them.

    Attributes:
        company: the users.
        free: the ranking of all that may be listed.
        cart: the ranking of what completes the open basket.
        champion, champion_cart: last night's model's rankings on tonight's data, where another one serves tonight.
        common: the ranking is what is popular.
        rests: the users are at rest, and there is no ranking.
    """

    company: Company
    free: Free
    cart: Free | None
    champion: Free | None
    champion_cart: Free | None
    common: bool
    rests: bool = False


@dataclass(frozen=True)
class Outcome:
    """One surface of a block.

    Attributes:
        shown: last night's lists.
        state: int8 [B] place in STATES.
        open_to: what the contract lets the surface show: bool [I], and barred CSR [B, I].
        made: tonight's lists.
        told: what last night's say of their places, of users at rest.
    """

    shown: Shown
    state: np.ndarray
    open_to: tuple[np.ndarray, sp.csr_matrix]
    made: Balanced
    told: Told | None = None


def blocks_of(scene: Scene, *, common: bool) -> Iterator[Block]:
    """All users, blocks by their first keys: whom models ranked, who is at rest, the others with what is popular."""
    parts = _ranked(scene, common=common), _at_rest(scene), _others(scene)
    return merge(*parts, key=lambda block: str(block.company.users[0]))


def _ranked(scene: Scene, *, common: bool) -> Iterator[Block]:
    names = (score_recommendations.TONIGHT, score_cart.CART, score_recommendations.CHAMPION, score_cart.CHAMPION)
    for free, cart, champion, their_cart in zip_longest(*(free_lists.read(scene.night, name) for name in names)):
        yield Block(scene.of(free.users, personal=True), free, cart, champion, their_cart, common)


def _at_rest(scene: Scene) -> Iterator[Block]:
    for users in standing.in_parts(at_rest.users(scene.night, scene.history.users)):
        yield Block(scene.of(users, personal=True), Free.nothing(users), None, None, None, common=False, rests=True)


def _others(scene: Scene) -> Iterator[Block]:
    everyone, served = scene.consents[0], free_lists.users(scene.night, score_recommendations.TONIGHT)
    known = pa.concat_arrays([served, at_rest.users(scene.night, scene.history.users)])
    others = everyone.filter(pc.invert(pc.is_in(everyone, known)))
    for users in standing.in_parts(others):
        best = free_lists.popular(scene.history, scene.inputs.space.recommendable, users, score_recommendations.LONG)
        yield Block(scene.of(users, personal=False), best, None, None, None, common=True)


def balanced(scene: Scene, block: Block, core: Ranked | None, point: Point) -> dict[str, Outcome]:
    """Every surface's lists of a block.

    Args:
        scene: of the night.
        block: of users.
        core: what everybody sees [1, C]; None where what is popular serves.
        point: where the balance stands.
    """
    company, policy, night = block.company, scene.policy, scene.night
    sizes = {str(name): surface.size for name, surface in policy.surfaces.items()}
    told, out = scene.before.told(company.users, sizes) if block.rests else {}, {}
    had = scene.before.shown(company.users, sizes)
    lists = {name: _still(block, name, shown) for name, shown in had.items()}
    open_to = {name: coherence.eligible(company.facts, name) for name in lists}
    drawn_from = _standing(scene, company, had, lists, open_to) if block.rests else rankings(scene, block, core)
    for name, shown in lists.items():
        state = np.where(~shown.known, NEW, np.where(company.idle, IDLE, ACTIVE)).astype(np.int8)
        salt = f"{night.shop.name}:{night.day}:{name}"
        stands = Standing(
            state=state,
            spent=shown.spent.sum(1),
            unchanged=shown.unchanged,
            evidence=company.evidence,
            taste=company.tastes,
            drawn=explore.draws(company.users.to_pylist(), salt),
        )
        if block.rests:
            made = _kept(scene, drawn_from[name], (shown, told[name]), open_to[name], stands, point)
        else:
            made = balance_surface(shown.items, drawn_from[name], open_to[name], stands, scene.shelf, point, policy)
        out[name] = Outcome(shown, state, open_to[name], made, told.get(name))
    return out


def _still(block: Block, name: str, shown: Shown) -> Shown:
    """Of a surface's lists of last night those that tonight may go on from."""
    company = block.company
    if name == "ad":  # what was agreed to once is not kept when it no longer is
        shown = shown.forgotten(~company.ads)
    if block.common:  # a list made of a person's own data is not kept without their consent
        shown = shown.forgotten(~shown.common & (company.rows < 0))
    return shown


def _standing(
    scene: Scene,
    company: Company,
    had: Mapping[str, Shown],
    lists: Mapping[str, Shown],
    open_to: Mapping[str, tuple[np.ndarray, sp.csr_matrix]],
) -> dict[str, Rankings]:
    """What surfaces of users at rest draw from: their lists, and where one lacks something all that these users had.

    Args:
        scene: of the night.
        company: the users.
        had: last night's lists by surface.
        lists: those that tonight may go on from.
        open_to: what the contract lets each surface show.
    """
    lack = {name: standing.lacking(shown.items, open_to[name]) for name, shown in lists.items()}
    some, drawn = np.unique(np.concatenate(list(lack.values()))), dict.fromkeys(lists, np.zeros((0, 0), np.int64))
    if len(some):
        users = company.users.take(pa.array(some))
        free = standing.in_turn(scene, users, [shown.items[some] for shown in had.values()])
        theirs = Block(scene.of(users, personal=True), free, None, None, None, common=False)
        drawn = {name: one.free.items for name, one in rankings(scene, theirs, None).items()}
    return {
        name: Rankings(
            standing.as_many(shown.items, lack[name], drawn[name][np.searchsorted(some, lack[name])], open_to[name])
        )
        for name, shown in lists.items()
    }


def _kept(
    scene: Scene,
    drawn_from: Rankings,
    before: tuple[Shown, Told],
    open_to: tuple[np.ndarray, sp.csr_matrix],
    stands: Standing,
    point: Point,
) -> Balanced:
    """A surface's lists as they stood, others in place of what may not be shown: nothing is calibrated or explored."""
    shown, told = before
    explore_none = scene.policy.explore.model_copy(update={"share": 0.0})
    policy = scene.policy.model_copy(update={"explore": explore_none})
    made = balance_surface(
        shown.items, drawn_from, open_to, stands, scene.shelf, replace(point, calibration=0.0), policy
    )
    return standing.scored(made, shown, told)


def rankings(scene: Scene, block: Block, core: Ranked | None) -> dict[str, Rankings]:
    """What every surface draws from; arguments as of `balanced`."""
    company = block.company
    nothing = Ranked(np.full((len(company.users), 1), -1), np.zeros((len(company.users), 1)))
    free = _views(scene, company, block.free)
    free[CART] = weighed(Ranked(block.cart.items, block.cart.scores), scene.penalty) if block.cart else nothing
    champion = _views(scene, company, block.champion) if block.champion else {}
    if block.champion_cart:
        champion[CART] = weighed(Ranked(block.champion_cart.items, block.champion_cart.scores), scene.penalty)
    shared = _views(scene, company, core) if core and not block.common else {}
    return {name: Rankings(ranked, champion.get(name), shared.get(name)) for name, ranked in free.items()}


def _views(scene: Scene, company: Company, base: Ranked | Free) -> dict[str, Ranked]:
    """What the surfaces draw from one ranking; the cart has none of it."""
    rows = len(company.users)
    fair = weighed(Ranked(base.items, base.scores), scene.penalty)
    whole = Ranked(*(np.broadcast_to(one, (rows, one.shape[1])) for one in (fair.items, fair.scores)))
    found = views(whole, whole, company.who, scene.shelf)
    return {name: ranked for name, ranked in found.items() if name != CART}


def core(scene: Scene, free: Iterable[Free | Block]) -> Ranked:
    """What everybody sees: items by their mean probability over all users ranked."""
    lists = (one.free if isinstance(one, Block) else one for one in free)
    return common((Ranked(one.items, one.scores) for one in lists), len(scene.before.ids), score_recommendations.LONG)
