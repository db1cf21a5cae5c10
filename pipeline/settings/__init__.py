"""A shop's settings (shop.yaml), checked at start, and where its files lie. Frozen: nothing changes them in a run."""

from pipeline.settings.audiences import AudienceSettings, CampaignSettings, SegmentSettings
from pipeline.settings.models import (
    EncoderSettings,
    Method,
    Precision,
    RecommenderSettings,
    SentimentSettings,
    Thresholds,
    Training,
)
from pipeline.settings.night import Night, any_home, home, open_night
from pipeline.settings.shop import (
    CartSettings,
    ChatSettings,
    LandingSettings,
    QuestionSettings,
    Shop,
    known_shops,
    load_shop,
)

__all__ = [
    "AudienceSettings",
    "CampaignSettings",
    "CartSettings",
    "ChatSettings",
    "EncoderSettings",
    "LandingSettings",
    "Method",
    "Night",
    "Precision",
    "QuestionSettings",
    "RecommenderSettings",
    "SegmentSettings",
    "SentimentSettings",
    "Shop",
    "Thresholds",
    "Training",
    "any_home",
    "home",
    "known_shops",
    "load_shop",
    "open_night",
]
