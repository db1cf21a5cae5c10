"""A shop's settings (shop.yaml), checked at start, and where its files lie. Frozen: nothing changes them in a run."""

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator, model_validator

from pipeline.errors import ConfigError
from pipeline.pages import Pages, load_pages
from pipeline.policy import Policy, load_policy
from pipeline.section import Section, read

Method = Literal["full", "lora", "adalora", "bottleneck"]


class Training(Section):
    """One fine-tuning run under the shared harness (`learning.harness`)."""

    method: Method = Field(default="full", description="which weights are tuned, of `sentiment`: `learning.adapters`")
    rank: int = Field(default=8, gt=1, le=256, description="of LoRA and AdaLoRA; bottlenecks are four times as wide")
    gradient_checkpointing: bool = Field(default=False, description="pretrained encoders only: memory for time")

    steps: int = Field(gt=0, description="optimiser steps of a first night")
    warm_steps: int = Field(gt=0, description="optimiser steps when a champion is carried on")
    batch_size: int = Field(gt=1)
    learning_rate: float = Field(gt=0)
    warm_learning_rate: float = Field(gt=0)
    eval_steps: int = Field(gt=0)
    patience: int = Field(gt=0, description="evaluations without gain before stopping")


class LandingSettings(Section):
    """Where a shop's own files land, and how far they are trusted (`shops.landing`)."""

    path: str = Field(description="directory or fsspec URI; relative to the settings file, ${VARIABLES} are filled in")
    layout: Literal["feeds", "amazon_2018", "amazon_2023", "rees46", "retailrocket", "taobao", "hm"] = "feeds"
    checksums: Literal["required", "when_given"] = "when_given"
    max_file_mib: int = Field(default=2048, gt=0, description="a larger file is set aside whole")
    max_field_kib: int = Field(default=1024, gt=0, description="a line with a longer field is quarantined")
    memory_gib: float = Field(default=2, gt=0, description="address space of the parsing child")
    seconds_per_file: int = Field(default=600, gt=0)


Precision = Literal["float32", "int8"]


class EncoderSettings(Section):
    """The text encoder: which checkpoint, how items become text, how it is tuned."""

    checkpoint: str = Field(description="embedded:NAME | path:/dir | hf:org/name@revision")
    item_text: str = Field(description="template over item columns")
    max_tokens: int = Field(gt=4, le=512)
    trained_layers: int = Field(gt=0, description="top layers that are tuned; the others stay pretrained")
    pairs: int = Field(gt=0, description="co-purchase pairs sampled for contrastive training")
    judged_pairs: int = Field(gt=0, description="pairs of the judged week by which encoders are compared")
    reads_in: Precision = Field(default="float32", description="int8 reads texts quicker, a little less exactly")
    training: Training


class RecommenderSettings(Section):
    """The sequential transformer and the order of candidates."""

    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    history: int = Field(gt=1, description="items of history the transformer reads")
    negatives: int = Field(ge=0, description="items a target is told from, drawn a batch; 0: all, by the exact softmax")
    signals: tuple[Literal["purchase", "rating", "add_to_cart", "click", "view"], ...] = Field(
        default=("purchase",), min_length=1, description="kinds of events that count as taking an item"
    )
    recent_days: int = Field(default=28, gt=0, description="what nobody took for longer stands in no list")
    min_purchases: int = Field(gt=0, description="items with fewer purchases are reached by text and repeats only")
    lessons: int = Field(default=1, gt=0, description="weeks that teach the order of candidates, unseen by the rest")
    repeats: bool = Field(default=True, description="users take the same item again; if not, it is listed no more")
    linear_items: int = Field(default=4000, gt=0, description="items of the linear model where none is taken twice")
    candidates: int = Field(gt=0, description="candidates that each way of scoring names")
    training: Training

    @model_validator(mode="after")
    def _heads_fit(self) -> "RecommenderSettings":
        if self.width % self.heads:
            raise ValueError("width must be a multiple of heads")
        return self


class CartSettings(Section):
    """Complements by lift."""

    min_together: int = Field(gt=0)
    list_size: int = Field(gt=0)
    max_basket: int = Field(gt=1, description="larger baskets are stock-ups and say little about pairs")


class SegmentSettings(Section):
    """An audience of the shop's own making, beside those of its campaigns."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    where: str | None = Field(default=None, description="attributes, such as department = 'TEA' and baskets_90d > 3")
    item: str | None = Field(default=None, description="an item id: who is likeliest to respond to it")
    like: Path | None = Field(default=None, description="CSV of user_id: who is like them")
    like_share: float = Field(default=0.2, gt=0, le=1, description="share of users that count as like them")

    @model_validator(mode="after")
    def _says_one_thing(self) -> "SegmentSettings":
        if sum(one is not None for one in (self.where, self.item, self.like)) != 1:
            raise ValueError("a segment says one of where, item and like")
        return self


class CampaignSettings(Section):
    """What one campaign may cost, in hundredths of the currency."""

    budget: float | None = Field(default=None, ge=0, description="for all its contacts, those made so far too")
    cost_per_contact: float | None = Field(default=None, ge=0, description="that of the shop when left out")


class AudienceSettings(Section):
    """The response model and the audiences made of it."""

    holdout_share: float = Field(ge=0, lt=0.5)
    min_size: int = Field(ge=100, description="audiences below are withheld; under 1,000 only in a demo profile")
    match_rate: float = Field(gt=0, le=1, description="share of an audience a platform is assumed to match")
    min_evaluation_sends: int = Field(gt=0)
    cost_per_contact: float = Field(ge=0)
    enter_above: float = Field(default=1.25, description="expected worth, in costs of a contact, to enter an audience")
    leave_below: float = Field(default=1.0, ge=1, description="and to leave it; lower, so that nobody flaps")
    contact_cap: int | None = Field(default=None, gt=0, description="sends to a user within contact_days, at most")
    contact_days: int = Field(default=30, gt=0)
    just_bought_days: int = Field(default=0, ge=0, description="who bought all of a campaign's few goods lately rests")
    sensitive: tuple[str, ...] = Field(default=(), description="widest categories that no audience may be about")
    segments: tuple[SegmentSettings, ...] = ()
    campaigns: dict[str, CampaignSettings] = Field(
        default={}, description="by campaign id, or segment:NAME; those left out may contact all who are worth it"
    )

    def cost_of(self, campaign: str) -> float:
        """Cost of one contact of a campaign, in hundredths of the currency."""
        own = self.campaigns.get(campaign, CampaignSettings()).cost_per_contact
        return self.cost_per_contact if own is None else own

    @model_validator(mode="after")
    def _in_order(self) -> "AudienceSettings":
        if self.leave_below >= self.enter_above:
            raise ValueError("leave_below must be lower than enter_above, or users enter and leave night by night")
        return self


class SentimentSettings(Section):
    """How reviews are read: by which encoder, how it is tuned, and what is made of it (`models.sentiment`)."""

    checkpoint: str = Field(default="", description="as the encoder's, which it is when left out")
    max_tokens: int = Field(default=128, gt=4, le=512)
    trained_layers: int = Field(default=4, gt=0, description="top layers that are tuned; the others stay pretrained")
    adversarial_radius: float = Field(
        default=0, ge=0, lt=1, description="of the worst step in embedding space that training withstands; 0: none"
    )
    noise: float = Field(default=0, ge=0, le=1, description="share of the texts that teach once more, with noise")
    floor: float = Field(
        default=0.35, ge=0, le=1, description="share of good reviews under which an item surely lies to be suppressed"
    )
    min_reviews: int = Field(default=10, gt=0, description="reviews under which no item is suppressed")
    taught: int = Field(default=10_000, gt=0, description="newest reviews that teach, at most")
    judged: int = Field(default=1_000, gt=0, description="reviews after them that judge, at most")
    fresh_share: float = Field(default=0.02, ge=0, description="more reviews than taught the champion, to train again")
    training: Training = Training(
        steps=4000,
        warm_steps=400,
        batch_size=16,
        learning_rate=1e-4,
        warm_learning_rate=2e-5,
        eval_steps=50,
        patience=2,
    )


class ChatSettings(Section):
    """What is kept ready for the chat (`stages.answers`)."""

    answered_items: int = Field(default=500, ge=0, description="best sellers that answers are made for")
    orders: int = Field(default=20, gt=0, description="latest orders of each user that the user may ask for")
    generator: str = Field(
        default="", description="small language model that re-words sentences, as embedded:smollm2-135m; empty: none"
    )


class QuestionSettings(Section):
    """What of the dialogues that ended without an answer is told to people (`tables.open_questions`)."""

    min_askers: int = Field(default=5, ge=2, description="people under whom nothing that was asked or said is told")
    days: int = Field(default=90, gt=0, description="age of the dialogues that are read, at most")
    read: int = Field(default=3000, gt=0, le=10_000, description="different questions that are grouped, newest first")


class Thresholds(Section):
    """What judge asks of a challenger; without these it refuses."""

    recommendations_min_ndcg_gain: float = Field(description="over the best single baseline, relative")
    recommendations_max_champion_loss: float = Field(ge=0, description="NDCG@10 lost against the champion, relative")
    encoder_min_recall_gain: float = Field(description="recall@10 over the champion encoder, absolute")
    audiences_min_auc_gain: float = Field(description="AUC over recency-frequency regression, absolute")
    audiences_max_calibration_error: float = Field(gt=0, le=1)
    sentiment_min_accuracy_gain: float = Field(default=0, description="over the commonest polarity, absolute")
    sentiment_max_calibration_error: float = Field(default=0.1, gt=0, le=1)
    sentiment_max_flip_rate: float = Field(
        default=0.05, ge=0, le=1, description="reviews that the champion reads right and the challenger wrong"
    )
    answers_min_accuracy_gain: float = Field(default=0, description="over the commonest intent, absolute")
    answers_max_calibration_error: float = Field(default=0.1, gt=0, le=1)
    answers_max_flip_rate: float = Field(
        default=0.05, ge=0, le=1, description="turns that the champion reads right and the challenger wrong"
    )
    phrasing_min_accepted: float = Field(
        default=0.5, ge=0, le=1, description="re-worded sentences, of kinds never taught, that pass the copy check"
    )
    phrasing_max_unsupported: float = Field(
        default=0.01, ge=0, le=1, description="re-worded sentences that passed it and say what no fact does"
    )
    phrasing_max_flip_rate: float = Field(
        default=0.1, ge=0, le=1, description="sentences that the champion re-words and the challenger cannot"
    )


class Shop(Section):
    """One shop: where its data comes from and how its night runs."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    adapter: Literal["grocer", "movies", "landing"]
    landing: LandingSettings | None = None
    profile: Literal["production", "demo"]
    timezone: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    provenance: str
    consent_without_flags: Literal["denied", "granted"] = "denied"
    seed: int = 7
    engine: Literal["duckdb", "spark"] = Field(
        default="duckdb", description="what reads the whole history: this machine, or a Spark cluster"
    )
    threads: int = Field(default=2, gt=0, description="compute threads; part of what makes two runs equal")
    first_day: date = Field(description="the first arrival day that is read")
    holdout_days: int = Field(gt=0, description="days judged, and as many before them for each lesson of the order")
    min_history_days: int = Field(gt=0)
    never_recommend: tuple[str, ...] = Field(default=(), description="widest categories that stand in no list")
    priced: bool = Field(default=True, description="purchases carry what was paid; false where a source has no prices")
    keep_snapshots: int = Field(default=14, gt=1, description="published nights that stay for rollback")
    object_store: str | None = Field(
        default=None, description="fsspec URI that published tables go to, too; else SHOPKEEL_OBJECT_STORE/NAME"
    )
    max_users: int | None = Field(default=None, gt=0, description="a fixed cohort for trials; none reads all")
    encoder: EncoderSettings
    recommender: RecommenderSettings
    cart: CartSettings
    audiences: AudienceSettings
    sentiment: SentimentSettings = SentimentSettings()
    chat: ChatSettings = ChatSettings()
    questions: QuestionSettings = QuestionSettings()
    thresholds: Thresholds | None = None
    policy: Policy = Field(
        default="default", validate_default=True, description="the balance policy: a built-in name, or a .yaml path"
    )

    pages: Pages = Field(
        default="default", validate_default=True, description="the layout file: a built-in name, or a .yaml path"
    )

    @field_validator("policy", mode="before")
    @classmethod
    def _read_policy(cls, given: object) -> object:
        return load_policy(given) if isinstance(given, str) else given

    @field_validator("pages", mode="before")
    @classmethod
    def _read_pages(cls, given: object) -> object:
        return load_pages(given) if isinstance(given, str) else given

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"'{zone}' is no IANA time zone")
        return zone

    @model_validator(mode="after")
    def _landing_is_said(self) -> "Shop":
        if (self.adapter == "landing") != (self.landing is not None):
            raise ValueError("adapter landing and the section `landing` (path, layout) go together")
        return self

    @model_validator(mode="after")
    def _adapters_are_for_the_reader(self) -> "Shop":
        for name, training in (("encoder", self.encoder.training), ("recommender", self.recommender.training)):
            if training.method != "full":
                raise ValueError(f"{name}.training.method: only full; adapters are for the reader of reviews")
        return self

    @model_validator(mode="after")
    def _demo_only(self) -> "Shop":
        if self.profile != "demo":
            if self.consent_without_flags == "granted":
                raise ValueError("consent_without_flags: granted is for the demo profile only")
            if self.audiences.min_size < 1000:
                raise ValueError("audiences.min_size below 1000 is for the demo profile only")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone: a business day is a local day."""
        return ZoneInfo(self.timezone)

    @property
    def reader(self) -> SentimentSettings:
        """How reviews are read, by a checkpoint that is named."""
        named = self.sentiment.checkpoint or self.encoder.checkpoint
        return self.sentiment.model_copy(update={"checkpoint": named})

    @property
    def policy_hash(self) -> str:
        """SHA-256 of the settings: two nights with the same hash were run under the same policy.

        Where the files lie is no policy, nor what computes: other folders and the other engine give the same tables.
        """
        facts = self.model_dump(mode="json", exclude={"landing": {"path"}, "object_store": True, "engine": True})
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Night:
    """One run of one shop's business day, and the folders it owns. Everything a stage needs beyond its inputs."""

    shop: Shop
    day: date
    home: Path
    run: str = "night"

    @property
    def root(self) -> Path:
        """All of the shop's files."""
        return self.home / self.shop.name

    @property
    def feeds(self) -> Path:
        """Clean arrivals and their quarantine, one folder a feed and day; kept from night to night."""
        return self.root / "feeds"

    @property
    def embeddings(self) -> Path:
        """Text vectors by encoder version and content hash; kept from night to night."""
        return self.root / "embeddings"

    @property
    def models(self) -> Path:
        """The model store: one immutable folder a version."""
        return self.root / "models"

    @property
    def warehouse(self) -> Path:
        """Published snapshots."""
        return self.root / "warehouse"

    @property
    def work(self) -> Path:
        """This run's intermediate results."""
        return self.root / "work" / f"{self.day}-{self.run}"

    @property
    def record(self) -> Path:
        """This night's notes, plots, Data Docs and report."""
        return self.root / "nights" / f"{self.day}-{self.run}"


def home() -> Path:
    """The folder that holds all shops' data: `SHOPKEEL_HOME`, else `var` in the working directory."""
    return Path(os.environ.get("SHOPKEEL_HOME") or "var").resolve()


def known_shops() -> dict[str, Path]:
    """Shop names and their settings files: the built-in ones, then those in the folder `SHOPKEEL_SHOPS`."""
    folders = [Path(str(resources.files("pipeline.shops")))]
    if extra := os.environ.get("SHOPKEEL_SHOPS"):
        if not Path(extra).is_dir():
            raise ConfigError(f"SHOPKEEL_SHOPS={extra}: no such folder; point it at a folder of shop .yaml files")
        folders.append(Path(extra))
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def load_shop(name: str) -> Shop:
    """Read and check one shop's settings.

    Args:
        name: a known shop, or the path of a .yaml file.

    Raises:
        ConfigError: unknown shop, unreadable file, or a key that is missing, unknown or wrong.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else known_shops().get(name)
    if path is None or not path.is_file():
        raise ConfigError(f"shop '{name}': unknown; choose one of {', '.join(known_shops())} or give a .yaml path")
    return read(path, Shop, "settings", _located)


def _located(loaded: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The settings with variables in places filled in, and paths of landing, policy and pages made absolute."""
    located, landing = dict(loaded), loaded.get("landing")
    if isinstance(loaded.get("object_store"), str):
        located["object_store"] = _filled("object_store", loaded["object_store"])
    elif store := os.environ.get("SHOPKEEL_OBJECT_STORE"):
        located["object_store"] = f"{store.rstrip('/')}/{loaded.get('name')}"
    for key in ("policy", "pages"):
        name = loaded.get(key)
        if isinstance(name, str) and name.endswith((".yaml", ".yml")):
            located[key] = str((folder / _filled(key, name)).resolve())
    if isinstance(landing, dict) and isinstance(landing.get("path"), str):
        path = _filled("landing.path", landing["path"])
        located["landing"] = landing | {"path": path if "://" in path else str((folder / path).resolve())}
    audiences = loaded.get("audiences")
    if isinstance(audiences, dict) and isinstance(audiences.get("segments"), list):
        segments = [
            one | {"like": str(folder / _filled("like", one["like"]))}
            if isinstance(one, dict) and isinstance(one.get("like"), str)
            else one
            for one in audiences["segments"]
        ]
        located["audiences"] = audiences | {"segments": segments}
    return located


def _filled(key: str, place: str) -> str:
    path = os.path.expandvars(place)
    if "$" in path:
        raise ConfigError(f"{key} '{path}': a variable in it is not set; export it or write the path out")
    return path


def open_night(shop: str, day: str | date, run: str = "night") -> Night:
    """The night of one shop and business day.

    Raises:
        ConfigError: unknown shop, bad settings, or a day that is not YYYY-MM-DD.
    """
    try:
        parsed = day if isinstance(day, date) else date.fromisoformat(day)
    except ValueError as error:
        raise ConfigError(f"date '{day}': not a day; write it as YYYY-MM-DD") from error
    return Night(shop=load_shop(shop), day=parsed, home=home(), run=run)
