"""Why an item stands where it does for a user: opens the current snapshot and the models behind it, and asks them.

What the models read is opened as it was that night: its work files if they are still there, else made anew from the
feeds. Not here: how shares are found (`models.what_if`), words (`explain`), printing (`cli.explaining`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as dataset

from pipeline import explain
from pipeline.contracts.tables import AD_AUDIENCES, RECOMMENDATIONS
from pipeline.errors import NoData
from pipeline.features.responses import NAMES
from pipeline.learning import champions
from pipeline.metrics.shapley import Shares
from pipeline.models import audiences, sequential, what_if
from pipeline.models.recommendations import Lists
from pipeline.models.what_if import Attribution, Case
from pipeline.models.what_if_contacted import Contact
from pipeline.settings import Night
from pipeline.stages import consenting, features, score_recommendations
from pipeline.stages.fine_tune_recommendations import open_version
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.stages.response_inputs import ResponseInputs
from pipeline.warehouse import durable
from pipeline.warehouse.snapshot import Snapshot

RUN = "explain"
PLACES = score_recommendations.LONG
ORDERS = 64  # drawn where players are too many to enumerate


@dataclass(frozen=True)
class Reason:
    """Why an item.

    Attributes:
        title: of the item.
        shown: the published rows of the user with the item: surface, rank, reason, change_cause.
        parts: log-odds that each part of the model adds, by `explain.GROUPS`, largest first; TreeSHAP's, exact.
        words: the sentence made of them.
        shares: what of the score comes from which history item; None where nothing of the user is read.
        players: titles of each player's items.
        unread: why nothing is read.
    """

    title: str
    shown: list[dict[str, Any]]
    parts: dict[str, float]
    words: str
    shares: Attribution | None
    players: list[list[str]]
    unread: str


def of_item(night: Night, pinned: Snapshot, user: str, item: str, most: int) -> Reason:
    """Why an item stands on a user's lists, or does not.

    Args:
        night: any of the shop.
        pinned: the snapshot that is asked about.
        user: a user key.
        item: an item id.
        most: players at most among whom the score is shared out.

    Raises:
        NoData: the item is not in the catalogue, or could not be listed that night.
    """
    shown = _rows(pinned, RECOMMENDATIONS.name, user_key=user, item_id=item)
    with _opened(night, pinned) as then:
        inputs = RankingInputs(then)
        place = int(inputs.space.index(pc.cast([item], "string"))[0])
        if place < 0:
            raise NoData(
                f"item '{item}': not in the catalogue of {then.day}; `shopkeel show recommendations` names some"
            )
        titles = inputs.catalogue.column("title").to_pylist()
        version, history = pinned.manifest.models.get("recommendations"), inputs.history(then.day)
        row = int(pc.fill_null(pc.index_in(pc.cast([user], "string"), history.users), -1)[0].as_py())
        if version is None or row not in consenting.served(then, history.users):
            why = "the user has bought nothing yet, or does not consent to a personalised shop"
            why = "no model serves: what is popular is shown" if version is None else why
            return Reason(titles[place], shown, {}, "", None, [], why)
        case, words = _case(inputs, version, row, titles)
        if place not in case.known.columns:
            raise NoData(
                f"item '{item}': could not be listed on {then.day}: not to be had, or nobody bought it of late"
            )
        shares = what_if.attribute(case, place, most, places=PLACES, orders=ORDERS, seed=night.shop.seed)
        features = case.features(place, np.ones((1, len(case.items)), bool))
        groups = explain.group_contributions(case.order.contributions(features), case.order.columns)
        parts = {name: float(value[0]) for name, value in groups.items()}
        lists = Lists(np.array([row]), np.array([[place]]), np.zeros((1, 1)), features[None, :, :])
        sentence = str(words.reasons(lists, np.ones((1, 1), bool))[0, 0])
        named = [[titles[one] for one in player] for player in shares.players]
        ordered = dict(sorted(parts.items(), key=lambda one: (-one[1], one[0])))
        return Reason(titles[place], shown, ordered, sentence, shares, named, "")


@dataclass(frozen=True)
class Contacted:
    """Why a user is in an audience.

    Attributes:
        shown: the published row.
        adds: log-odds that each feature adds against the average contact, furthest from 0 first. The response model is
            additive, so these are the Shapley values of its features, exactly.
        shares: what of the log-odds comes from which thing in the user's history.
        players: titles of each player's items.
        without: float64 [P] the chance of a response by the campaign's end without the player alone.
        chance: with all of them.
    """

    shown: list[dict[str, Any]]
    adds: dict[str, float]
    shares: Shares
    players: list[list[str]]
    without: np.ndarray
    chance: float


def of_campaign(night: Night, pinned: Snapshot, user: str, campaign: str, most: int) -> Contacted:
    """Why a user is in a campaign's audience; arguments as of `of_item`.

    Raises:
        NoData: the user is in no published audience of the campaign, so nothing was scored for them to see.
    """
    shown = _rows(pinned, AD_AUDIENCES.name, user_key=user, campaign_id=campaign)
    version = pinned.manifest.models.get("audiences")
    if not shown or version is None:
        raise NoData(f"campaign '{campaign}': the user is in no published audience of it; see ad_audience_summary")
    model, config = audiences.load(champions.folder(night.models, "audiences", version))
    with _opened(night, pinned) as then:
        inputs = ResponseInputs(then, config["encoder"])
        found = next((one for one in inputs.campaigns if one.id == campaign), None)
        if found is None:
            raise NoData(f"campaign '{campaign}': an audience of the shop's own making has no campaign to explain")
        row = int(pc.index_in(pc.cast([user], "string"), inputs.lines.users)[0].as_py())
        before, creative = inputs.today + 1, inputs.creatives[found.id]
        adds = model.contributions(inputs.features(found, before)[[row]], np.array([found.kind], dtype=object))[0]
        contact = Contact(model, found, before, inputs.lines, inputs.contacts, inputs.texts, creative, row)
        titles = inputs.ranking.catalogue.column("title").to_pylist()
        player_of, shares = what_if.share_out(
            contact.scores, len(contact.items), most, orders=ORDERS, seed=night.shop.seed
        )
        count = len(shares.values)
        chances = 1 / (1 + np.exp(-contact.scores(what_if.all_and_all_but_one(count)[:, player_of])))
        players = [[titles[one] for one in contact.items[player_of == player]] for player in range(count)]
    order = np.argsort(-np.abs(adds), kind="stable")
    told = {NAMES[at]: float(adds[at]) for at in order}
    return Contacted(shown, told, shares, players, chances[1:], float(chances[0]))


def _case(inputs: RankingInputs, version: str, row: int, titles: list[str]) -> tuple[Case, explain.Words]:
    """The user before the order that served, and its words."""
    settings = inputs.night.shop.recommender
    model, rows, texts, order = open_version(inputs.night, inputs, version)
    counted = inputs.counted(inputs.history(inputs.night.day), texts, listed_tonight=True)
    known = counted.reading(model, rows, texts, settings.history)
    shelves = explain.shelf_names(inputs.catalogue.column("category"))
    words = explain.Words(known, order, titles, shelves, texts=texts)

    def states(lines: Any) -> np.ndarray:
        return sequential.user_states(model, lines, rows, texts, settings.history)

    return Case(known, states, order, row, settings.candidates), words


def _rows(pinned: Snapshot, table: str, **equal: str) -> list[dict[str, Any]]:
    """Published rows by equal columns, in the table's order."""
    condition = None
    for column, value in equal.items():
        one = dataset.field(column) == value
        condition = one if condition is None else condition & one
    rows: list[dict[str, Any]] = dataset.dataset(pinned.path(table)).to_table(filter=condition).to_pylist()
    return rows


@contextmanager
def _opened(night: Night, pinned: Snapshot) -> Iterator[Night]:
    """The night of a snapshot with the files that models read; those made for the asking go again."""
    then = replace(night, day=pinned.manifest.day, run=pinned.manifest.run)
    if all((then.work / f"{name}.parquet").exists() for name in features.READ):
        yield then
        return
    then = replace(then, run=RUN)
    try:
        features.build(then)
        yield then
    finally:
        durable.drop(then.work)
