"""The layout file of a shop: which modules may stand where on its pages. A reviewed YAML file in `shops/pages/`.

Not here: how calm a layout is (`policy`), what modules are worth to a user (`models.layouts`) and how a layout changes
from night to night (`balance.dwell`).
"""

from math import log2
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from pipeline.policy import load_section
from pipeline.section import Section

Module = Literal[
    "buy_again", "your_categories", "new_for_you", "complements", "offers", "top_rated", "shop_favourites", "continue"
]
Surface = Literal["home", "category", "product", "cart", "email", "ad"]
MODULES: tuple[Module, ...] = get_args(Module)
ADS: Module = "offers"  # the module in which ads stand on a page
TOP_CATEGORY: Module = "your_categories"


class Slot(Section):
    """A place on a page, and the module that stands there by default."""

    module: Module
    anchor: bool = Field(default=False, description="the module never leaves the slot")
    visibility: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="share of visitors who see the slot"
    )


class Page(Section):
    """One surface: its slots from the top, and modules that may take one that is no anchor."""

    slots: tuple[Slot, ...] = Field(min_length=1)
    candidates: tuple[Module, ...] = ()

    @property
    def modules(self) -> tuple[Module, ...]:
        """All modules that may stand here, those of the slots first."""
        return (*(slot.module for slot in self.slots), *self.candidates)

    @property
    def visibility(self) -> tuple[float, ...]:
        """Share of visitors who see each slot; 1 / log2(1 + place) where it is not said."""
        return tuple(slot.visibility or 1 / log2(1 + place) for place, slot in enumerate(self.slots, start=1))

    @model_validator(mode="after")
    def _modules_once(self) -> Self:
        if len(set(self.modules)) != len(self.modules):
            raise ValueError("slots and candidates of a page name each module once")
        return self


class Pages(Section):
    """All pages; `shops/pages/default.yaml` explains the keys."""

    module_items: int = Field(gt=0, description="goods a module shows")
    home: Page
    category: Page
    product: Page
    cart: Page
    ads: dict[Surface, Annotated[int, Field(gt=0)]] = Field(
        default={}, description="ad slots of a surface; on a page they stand inside the module offers"
    )

    @property
    def surfaces(self) -> dict[str, Page]:
        """Pages by surface."""
        return {"home": self.home, "category": self.category, "product": self.product, "cart": self.cart}

    @model_validator(mode="after")
    def _ads_have_their_module(self) -> Self:
        for name in self.ads:
            if name in self.surfaces and ADS not in self.surfaces[name].modules:
                raise ValueError(f"ads.{name}: {ADS} is no module of this page, and ads stand inside it")
        return self

    @model_validator(mode="after")
    def _top_category_stands(self) -> Self:
        if TOP_CATEGORY not in (slot.module for slot in self.home.slots):
            raise ValueError(f"home has no slot for {TOP_CATEGORY}, and a profile's top category must stand on it")
        return self


def load_pages(name: str) -> Pages:
    """Read and check a layout file; see `policy.load_section`."""
    return load_section("pages", "pages", Pages, name)
