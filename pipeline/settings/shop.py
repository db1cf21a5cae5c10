"""One shop's settings (shop.yaml), read and checked at start: where its data comes from and how its night runs."""

import hashlib
import json
import os
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
from pipeline.settings.audiences import AudienceSettings
from pipeline.settings.models import EncoderSettings, RecommenderSettings, SentimentSettings, Thresholds


class LandingSettings(Section):
    """Where a shop's own files land, and how far they are trusted (`shops.landing`)."""

    path: str = Field(description="directory or fsspec URI; relative to the settings file, ${VARIABLES} are filled in")
    layout: Literal["feeds", "amazon_2018", "amazon_2023", "rees46", "retailrocket", "taobao", "hm"] = "feeds"
    checksums: Literal["required", "when_given"] = "when_given"
    max_file_mib: int = Field(default=2048, gt=0, description="a larger file is set aside whole")
    max_field_kib: int = Field(default=1024, gt=0, description="a line with a longer field is quarantined")
    memory_gib: float = Field(default=2, gt=0, description="address space of the parsing child")
    seconds_per_file: int = Field(default=600, gt=0)


class CartSettings(Section):
    """Complements by lift."""

    min_together: int = Field(gt=0)
    list_size: int = Field(gt=0)
    max_basket: int = Field(gt=1, description="larger baskets are stock-ups and say little about pairs")


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
