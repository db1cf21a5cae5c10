"""Planted bias: each is an audit's finding, and the gate refuses each; the same shop without any passes."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow.dataset import dataset

from pipeline import gates
from pipeline.audit import consents, exposure, groups, texts
from pipeline.audit.finding import Finding
from pipeline.errors import Refused
from pipeline.policy import load_policy
from pipeline.stages.audited import frame as audits_frame
from tests.gate_rows import KEYS, frame
from tests.trust.conftest import Trust, counts

RULES = load_policy("default").audit
DAY, FIRST = date(2017, 6, 1), date(2017, 1, 1)
PEOPLE, GOODS, LISTS, SIZE = 900, 400, 500, 10
USERS = [f"{n:032x}" for n in range(PEOPLE)]
AGES, INCOMES = ("19-24", "25-34", "65+"), ("low", "high")


class Shop:
    """Goods, people, lists and audiences that are fair but for one planted bias."""

    def __init__(self) -> None:
        rng = self.rng = np.random.default_rng(11)
        self.goods = pd.DataFrame(
            {
                "item_id": [f"i{n:03d}" for n in range(GOODS)],
                "brand": np.array(["Own", "National"], object)[rng.integers(0, 2, GOODS)],
                "shelf": rng.choice(["Tea", "Soap"], GOODS),
                "price_cents": rng.integers(50, 900, GOODS).astype(float),
                "merit": rng.integers(20, 60, GOODS),
                "first_on": [DAY - timedelta(int(days)) for days in rng.integers(0, 140, GOODS)],
            }
        )
        self.kinds = exposure.grouped(self.goods, DAY, FIRST)
        self.people = pd.DataFrame(
            {"age_band": rng.choice(AGES, PEOPLE), "income_band": rng.choice(INCOMES, PEOPLE)}, index=USERS
        )
        self.chance = self.goods.merit.to_numpy(float)
        spread = {"accuracy": 0.2, "calibration": 0.5, "stability": 0.03}
        self.measures = {name: pd.Series(rng.normal(0.5, wide, PEOPLE), USERS) for name, wide in spread.items()}
        self.members = pd.DataFrame(rng.random((PEOPLE, 3)) < 0.4, index=USERS, columns=["a", "b", "c"])
        self.titles, self.reviews, self.reason = {"i000": "Tea"}, {"r1": "good"}, "You often buy it"
        self.agreed: dict[str, set[str]] = {name: set(KEYS) for name in consents.CONSENTS}

    def favour(self, axis: str, group: str, times: float) -> None:
        self.chance = self.chance * np.where(self.kinds[axis] == group, times, 1)

    def shift(self, measure: str, attribute: str, group: str, by: float) -> None:
        self.measures[measure] = self.measures[measure] + by * (self.people[attribute] == group)

    def tell(self, audience: str, attribute: str, group: str, share: float) -> None:
        is_in = (self.people[attribute] == group).to_numpy()
        self.members[audience] = np.where(self.rng.random(PEOPLE) < share, is_in, self.members[audience])

    def findings(self) -> list[Finding]:
        p = self.chance / self.chance.sum()
        items = np.concatenate([self.rng.choice(GOODS, SIZE, replace=False, p=p) for _ in range(LISTS)])
        shown = pd.DataFrame(
            {"item_id": self.goods.item_id.to_numpy()[items], "rank": np.tile(np.arange(SIZE) + 1, LISTS)}
        )
        told = exposure.rows(self.goods, self.kinds, shown, {})
        tables = {
            name: dataset(frame(name)) for name in ("recommendations", "ad_audiences", "user_profiles", "page_layouts")
        }
        said = {"recommendations": dataset(pa.table({"item_id": ["i000"], "reason": [self.reason]}))}
        return [
            *exposure.findings(told, told, RULES),
            *groups.gap_findings(groups.compare(self.people, self.measures, RULES.least_group), RULES),
            groups.leak_finding(groups.leaks(self.people, self.members, RULES.least_group), RULES),
            consents.consents(tables, self.agreed),
            texts.texts(self.titles, self.reviews, said),
        ]


def without(consent: str) -> Callable[[Shop], None]:
    return lambda shop: shop.agreed.update({consent: set(KEYS[1:])})


BIASES: dict[str, Callable[[Shop], None]] = {
    "own brand pushed": lambda shop: shop.favour("brand", "Own", 12),
    "national brands hidden": lambda shop: shop.favour("brand", "National", 0.1),
    "own brand buried": lambda shop: shop.favour("brand", "Own", 0.05),
    "premium goods pushed": lambda shop: shop.favour("price_band", "premium", 30),
    "cheap goods hidden": lambda shop: shop.favour("price_band", "value", 0.05),
    "the tail hidden": lambda shop: shop.favour("popularity", "tail", 0.02),
    "the tail alone": lambda shop: shop.favour("popularity", "tail", 200),
    "new goods hidden": lambda shop: shop.favour("newness", "new", 0.001),
    "new goods alone": lambda shop: shop.favour("newness", "new", 300),
    "worse lists for the old": lambda shop: shop.shift("accuracy", "age_band", "65+", -0.2),
    "better lists for the rich": lambda shop: shop.shift("accuracy", "income_band", "high", 0.2),
    "lists unlike the young": lambda shop: shop.shift("calibration", "age_band", "19-24", 1.2),
    "lists unlike the poor": lambda shop: shop.shift("calibration", "income_band", "low", 1.2),
    "restless lists for the old": lambda shop: shop.shift("stability", "age_band", "65+", -0.15),
    "calm lists for the rich alone": lambda shop: shop.shift("stability", "income_band", "high", 0.15),
    "an audience of the old": lambda shop: shop.tell("a", "age_band", "65+", 0.9),
    "an audience of the poor, half hidden": lambda shop: shop.tell("b", "income_band", "low", 0.6),
    "two audiences that tell together": lambda shop: [
        shop.tell(name, "income_band", "high", 0.45) for name in ("a", "c")
    ],
    "a profile without consent": without("personalisation"),
    "an audience without consent": without("audiences"),
    "an ad without consent": lambda shop: shop.agreed.update({"personalisation": set()}),
    "an insult as a name": lambda shop: shop.titles.update({"i000": "Tea for morons"}),
    "an insult as a reason": lambda shop: setattr(shop, "reason", "为王八蛋"),
}


def verdict(findings: list[Finding], docs: Path) -> gates.Verdict:
    return gates.check({"audits": audits_frame(findings)}, docs)[0]


def test_a_fair_shop_passes(tmp_path: Path) -> None:
    found = verdict(Shop().findings(), tmp_path)
    assert found.passed, found.failures


def test_planted_bias_is_refused(tmp_path: Path, trust: Trust) -> None:
    names = list(BIASES)[:: counts(6, 1)]
    let_through = []
    for name in names:
        shop = Shop()
        BIASES[name](shop)
        try:
            gates.require([verdict(shop.findings(), tmp_path)])
        except Refused:
            continue
        let_through.append(name)
    note = "exposure, gaps, leakage, consent, text" + (f"; not: {', '.join(let_through)}" if let_through else "")
    trust.all_of("planted bias refused", len(names) - len(let_through), len(names), note)
