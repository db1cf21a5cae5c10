"""The balance policy: how much may change from night to night, and what a list must keep. A reviewed YAML file.

Holds the thresholds' types and bounds; why each has its value stands beside it in `shops/policies/*.yaml`. Not here:
how lists are made by it (`balance`), and the other settings of a shop (`settings`).
"""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from pipeline.errors import ConfigError
from pipeline.section import Read, Section, read

SURFACES = ("home", "category", "product", "cart", "email", "ad")

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]


class Surface(Section):
    """One place where a list is shown."""

    size: Positive = Field(description="places of the list; a device shows the first of them")
    rest_days: Count = Field(default=0, description="what the user took in the last days stays out")


class Start(Section):
    """Where the operating point stands before a replay has measured anything."""

    calibration: Share
    distil: Share
    budget_idle: Count
    budget_active: Positive
    pinned_idle: Count


class Grid(Section):
    """Values that the nightly replay may choose among, ascending; a night moves one step on one axis at most."""

    calibration: tuple[Share, ...] = Field(min_length=1)
    distil: tuple[Share, ...] = Field(min_length=1)
    budget_idle: tuple[Count, ...] = Field(min_length=1)
    budget_active: tuple[Positive, ...] = Field(min_length=1, description="at least 1, or nothing keeps lists fresh")
    pinned_idle: tuple[Count, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name, values in self:
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name}: values must ascend, each once")
        return self


class Explore(Section):
    """Places given to what the models would not show yet."""

    share: Share = Field(description="of users a night, by salted hash")
    slots: Positive = Field(description="places a drawn user's list gives, within the budget")
    depth: Positive = Field(description="candidates past the list's end that are drawn from")
    temperature: float = Field(gt=0, description="of the draw by log-odds: low repeats the best, high is uniform")


class Bounds(Section):
    """What an operating point must keep to be chosen."""

    accuracy_lower: Share = Field(description="NDCG@10 over that of the free lists, lower 95 % bound")
    personalisation_floor: Share = Field(description="mean distance between two users' lists")
    calibration_max: float = Field(gt=0, description="mean C_KL of lists against the user's own categories")
    exposure_low: float = Field(gt=0, le=1, description="share of exposure over share of merit of a group of items")
    exposure_high: float = Field(ge=1)
    parity_gap: Share = Field(description="largest gap between two groups of users in mean idle RBO")
    coherence_floor: Share = Field(description="mean X_u: how alike the surfaces of one user are")
    harm: Share = Field(
        description="no point is refused for calibration or exposure so little worse than the free lists'"
    )


Axis = Literal["brand", "price_band", "popularity", "newness"]
AXES: tuple[Axis, ...] = get_args(Axis)
Ratios = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=1)]]


class Gaps(Section):
    """By how much a group of people may surely differ from all others, in the measure's own unit."""

    accuracy: float = Field(ge=0, description="NDCG@10")
    calibration: float = Field(ge=0, description="C_KL, in nats")
    stability: float = Field(ge=0, description="RBO of idle users' lists")


class AuditRules(Section):
    """What the audit of a night refuses, and what the next night's lists make up for."""

    exposure: dict[Axis, Ratios] = Field(
        description="least and greatest ratio of exposure to merit of a group of goods"
    )
    gaps: Gaps
    leakage_auc: float = Field(ge=0.5, le=1, description="how well audiences may tell an attribute of their members")
    least_group: int = Field(ge=10, description="people of a group that may be told of")
    answer_flips: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of questions whose facts stayed that may be answered, or understood, otherwise",
    )
    penalty_step: float = Field(
        ge=0, description="share of the log of a ratio beyond `bounds` that a night makes up for"
    )
    penalty_most: float = Field(ge=0, description="log-odds that a group's goods may lose or gain in all")

    @model_validator(mode="after")
    def _every_axis(self) -> Self:
        if missing := [axis for axis in AXES if axis not in self.exposure]:
            raise ValueError(f"exposure: {', '.join(missing)} missing; an axis without a band would pass anything")
        return self


class LayoutRules(Section):
    """How calm a page's layout is."""

    dwell_days: Positive = Field(description="days a module keeps its slot before it may move again")
    moves_per_week: int = Field(ge=0, le=1, description="module moves a user may see in 7 days, over all pages")
    margin: float = Field(ge=0, description="gain in visibility-weighted value that a move must bring, relative")


class Replay(Section):
    """How operating points are measured."""

    users: Positive = Field(description="users of the fixed cohort")
    nights: int = Field(ge=2, description="nights lived through, the last one before the judged week")
    attribution_users: Positive = Field(description="users whose churn is taken apart by cause")


class Policy(Section):
    """Everything a shop decides about consistency and personalisation."""

    rbo_p: float = Field(gt=0, lt=1, description="persistence of the reader in rank-biased overlap")
    surfaces: dict[Literal["home", "category", "product", "cart", "email", "ad"], Surface]
    devices: dict[str, Positive] = Field(min_length=1, description="places that a device shows")
    grid: Grid
    start: Start
    pinned_active: Count = Field(description="first places of an active user's list that stay")
    week_limit: Count = Field(description="voluntary replacements an idle user may see in 7 days, of one list")
    rest_nights: Count = Field(
        default=0,
        description="nights in a row that an idle user's lists may stand without being ranked anew; 0 ranks everybody",
    )
    stale_days: int = Field(ge=3, description="nights after which an active user's unchanged list is stale")
    stale_share: Share = Field(description="of active users who may have a stale list")
    explore: Explore
    core_kappa: float = Field(ge=0, description="pieces of evidence at which own and common weigh alike; 0 is own only")
    just_bought_days: Positive = Field(description="days for which an item counts as just bought")
    replenishable_share: Share = Field(description="of an item's buyers who took it again, to call it replenishable")
    min_buyers: Positive = Field(description="buyers below which that share says nothing")
    bounds: Bounds
    audit: AuditRules
    layout: LayoutRules
    replay: Replay

    @model_validator(mode="after")
    def _fits(self) -> Self:
        missing = [name for name in SURFACES if name not in self.surfaces]
        if missing:
            raise ValueError(f"surfaces: {', '.join(missing)} missing")
        for name, value in self.start:
            if value not in getattr(self.grid, name):
                raise ValueError(f"start.{name} {value} is not on the grid")
        if self.grid.budget_idle[-1] > self.week_limit:
            raise ValueError("grid.budget_idle goes past week_limit, so a night could spend more than a week may")
        shortest = min(surface.size for surface in self.surfaces.values())
        if max(*self.grid.pinned_idle, self.pinned_active) >= shortest:
            raise ValueError(f"a pinned head must be shorter than the shortest list ({shortest} places)")
        return self


def load_policy(name: str) -> Policy:
    """Read and check a policy; see `load_section`."""
    return load_section("policy", "policies", Policy, name)


def load_section(kind: str, folder: str, section: type[Read], name: str) -> Read:
    """Read and check a reviewed YAML file of a shop.

    Args:
        kind: what an error calls it.
        folder: of the built-in ones, in `shops/`.
        section: what it must hold.
        name: a built-in one, or the path of a .yaml file.

    Raises:
        ConfigError: unknown name, unreadable file, or a key that is missing, unknown or wrong.
    """
    built_in = Path(str(resources.files("pipeline.shops"))) / folder
    known = {path.stem: path for path in sorted(built_in.glob("*.yaml"))}
    path = Path(name) if name.endswith((".yaml", ".yml")) else known.get(name)
    if path is None or not path.is_file():
        raise ConfigError(f"{kind} '{name}': unknown; choose one of {', '.join(known)} or give a .yaml path")
    return read(path, section, kind)
