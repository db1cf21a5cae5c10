"""What the audits read besides the staged tables, opened once, and the frame `audits` of what they find.

The only place where attributes that are for audits alone are read. Not here: the audits (`pipeline.audit`).
"""

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import Dataset

from pipeline.audit import consents, exposure, groups, texts
from pipeline.audit.finding import Finding
from pipeline.contracts.feeds import USERS
from pipeline.contracts.table import Privacy
from pipeline.contracts.tables import AUDITS
from pipeline.feeds import partitions
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import consenting, desk, review_inputs
from pipeline.stages.fine_tune_recommendations import JUDGED
from pipeline.stages.gate import note_json
from pipeline.stages.scene import Scene
from pipeline.stages.score_audiences import CONSENTS
from pipeline.warehouse.compact import compact

DETAILS = "audit_groups"
CONSENT_WORDS = {
    "personalisation": "agree to a personalised shop", "ads": "agree to a personalised shop and personalised ads",
    "audiences": "agree to personalised ads and to the use of data for them",
}  # fmt: skip
ATTRIBUTES = [column.name for column in USERS.raw.columns if column.privacy is Privacy.AUDIT]


@dataclass(frozen=True)
class Audited:
    """One night's audits.

    Attributes:
        night: whose.
        tables: staged, by name; read as asked for.
    """

    night: Night
    tables: Mapping[str, Dataset]

    @cached_property
    def people(self) -> pd.DataFrame:
        """Attributes of those of whom any is known, by user key."""
        rows = desk.landed(desk.connect(self.night), self.night, "users")
        if rows is None:
            return pd.DataFrame(columns=ATTRIBUTES)
        found = partitions.latest(rows, "user_key").select("user_key", *ATTRIBUTES).order_by("user_key").to_pyarrow()
        return found.to_pandas().set_index("user_key").dropna(how="all")

    @cached_property
    def item_exposure(self) -> pa.Table:
        """Rows of the table that the next night reads."""
        return self._exposed[0]

    @cached_property
    def _exposed(self) -> tuple[pa.Table, pa.Table]:
        """The same of all lists, and of those that models made."""
        kinds, least = Scene(self.night).goods, self.night.shop.policy.audit.least_group
        lists = compact(self.tables["recommendations"], ["user_key", "item_id", "rank", "is_fallback"])
        shown = (one.select(["item_id", "rank"]).to_pandas() for one in (lists, exposure.made_by_models(lists, least)))
        every, made = (exposure.rows(kinds.goods, kinds.groups, one, kinds.penalties) for one in shown)
        return every, made

    @cached_property
    def compared(self) -> list[groups.Compared]:
        """Every measure of every group of people that is large enough."""
        lists = compact(self.tables["experience"], ["user_key", "state", "calibration_kl", "rbo"]).to_pandas()
        measures = {
            "accuracy": _judged(self.night),
            "calibration": lists.groupby("user_key").calibration_kl.mean(),
            "stability": lists[lists.state == "idle"].groupby("user_key").rbo.mean(),
        }
        return groups.compare(self.people, measures, self.night.shop.policy.audit.least_group)

    @cached_property
    def told(self) -> list[groups.Told]:
        """How well audiences and plans tell each group of people, of everybody who may be in one."""
        rows = self.tables["ad_audiences"].to_table(["user_key", "campaign_id", "is_planned"]).to_pandas()
        if not len(rows) or not len(self.people):
            return []
        _everyone, may_be = consenting.users(self.night, *CONSENTS)
        planned = rows[rows.is_planned].assign(campaign_id=lambda some: "plan of " + some.campaign_id)
        both = pd.concat([rows, planned])
        members = pd.crosstab(both.user_key, both.campaign_id).astype(bool)
        members = members.reindex(may_be.to_pylist(), fill_value=False)
        return groups.leaks(self.people, members, self.night.shop.policy.audit.least_group)

    def findings(self) -> list[Finding]:
        """Of every audit."""
        rules = self.night.shop.policy.audit
        return [
            *exposure.findings(*self._exposed, rules),
            *groups.gap_findings(self.compared, rules),
            groups.leak_finding(self.told, rules),
            consents.consents(self.tables, self._agreed),
            texts.texts(self._titles(), self._reviews(), self.tables),
        ]

    def details(self) -> dict[str, Any]:
        """What cards and pages tell of groups, none of them too small."""
        agreed = {CONSENT_WORDS[name]: len(keys) for name, keys in self._agreed.items()}
        return {
            "agreed": {"known": len(consenting.users(self.night)[0])} | agreed,
            "exposure": self.item_exposure.to_pylist(),
            "gaps": [
                {"attribute": one.attribute, "measure": one.measure, **asdict(one.found)} for one in self.compared
            ],
            "leakage": [{"attribute": one.attribute, "group": one.group, **asdict(one.found)} for one in self.told],
        }

    @cached_property
    def _agreed(self) -> dict[str, set[str]]:
        flags = {
            "personalisation": ("consent_personalisation",),
            "ads": ("consent_personalisation", "consent_ad_personalization"),
            "audiences": CONSENTS,
        }
        return {name: set(consenting.users(self.night, *asked)[1].to_pylist()) for name, asked in flags.items()}

    def _titles(self) -> dict[str, str]:
        rows = desk.landed(desk.connect(self.night), self.night, "items")
        return {} if rows is None else _pairs(partitions.latest(rows, "item_id").select("item_id", "title"))

    def _reviews(self) -> dict[str, str]:
        rows = review_inputs.reviews(self.night)
        return {} if rows is None else _pairs(ibis.memtable(rows.select(["review_id", "text"])))


def frame(findings: list[Finding]) -> pa.Table:
    """Rows of the frame `audits`."""
    columns = map(list, zip(*map(astuple, findings), strict=True))
    return AUDITS.enforce(pa.table(dict(zip(AUDITS.names, columns, strict=True)), AUDITS.schema))


def leave(found: pa.Table, audits: Audited, recorder: JsonRecorder) -> None:
    """Note what was found, and what cards and pages tell of groups."""
    note_json(recorder, AUDITS.name, found.to_pylist())
    note_json(recorder, DETAILS, audits.details())
    recorder.metrics({f"audit/{row['audit']}": row["worst"] for row in found.to_pylist() if row["worst"] is not None})
    recorder.metrics({f"audit/{row['audit']}/violations": row["violations"] for row in found.to_pylist()})


def _judged(night: Night) -> "pd.Series[float]":
    """NDCG@10 of each user of the judged week by tonight's ranking."""
    rows = desk.read(night, JUDGED).to_pandas()
    return rows.set_index("user_key")["ndcg@10"]


def _pairs(rows: Any) -> dict[str, str]:
    table = rows.to_pyarrow()
    names, texts_ = (table.column(name) for name in table.column_names)
    return dict(zip(names.to_pylist(), pc.fill_null(texts_, "").to_pylist(), strict=True))
