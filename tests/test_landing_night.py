"""A shop of real reviews and items runs a night from its files, by settings alone: docs/examples/gift_cards.yaml."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import nightly
from pipeline.feeds import partitions
from pipeline.privacy.keys import VARIABLE
from pipeline.settings import Night, load_shop
from pipeline.warehouse.snapshot import Snapshot, open_snapshot

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DROPS = ROOT.parent / "shared" / "data"
DAY = date(2018, 6, 30)


def small(folder: Path, checkpoint: Path) -> str:
    """The example with a tiny encoder and few steps; its file."""
    raw = yaml.safe_load((ROOT / "docs" / "examples" / "gift_cards.yaml").read_text(encoding="utf-8"))
    raw["threads"] = 1
    raw["encoder"] |= {"checkpoint": f"path:{checkpoint}", "max_tokens": 16, "trained_layers": 1}
    raw["encoder"]["training"] |= {"steps": 2, "batch_size": 8, "eval_steps": 2}
    # People like gift cards: only so high a floor has anything under it.
    raw["sentiment"] = {"max_tokens": 16, "trained_layers": 1, "floor": 0.97}
    raw["sentiment"]["training"] = raw["encoder"]["training"] | {"steps": 20}
    raw["recommender"] |= {"width": 16, "trees": 40}
    raw["recommender"]["training"] |= {"steps": 5, "eval_steps": 5}
    path = folder / "gift_cards.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Iterator[Night]:
    if not (DROPS / "gift_cards").is_dir():
        pytest.skip(f"no {DROPS}: the public reviews are not part of the repository")
    base = tmp_path_factory.mktemp("gift_cards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPKEEL_DROPS", str(DROPS))
        patch.setenv(VARIABLE, "5a" * 32)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        night = Night(load_shop(small(base, tiny_bert)), DAY, base / "home")
        nightly.run_night(night)
        yield night


@pytest.fixture
def published(night: Night) -> Snapshot:
    return open_snapshot(night.warehouse)


def column(night: Night, feed: str, name: str) -> list[Any]:
    folders = partitions.days(night.feeds, feed, DAY)
    return [
        value
        for folder in folders
        for value in pq.read_table(folder / "rows.parquet", partitioning=None)[name].to_pylist()
    ]


def test_ratings_reviews_and_titles_have_landed(night: Night) -> None:
    assert len(column(night, "items", "title")) == 1547
    assert set(column(night, "events", "kind")) == {"rating"}
    assert sum(bool(text) for text in column(night, "reviews", "review_text")) > 2900
    for feed in ("events", "items", "reviews"):
        counts = partitions.counts(night.feeds, feed, DAY)
        assert counts["arrived"] == counts["published"] + counts["quarantined"] + counts["deduplicated"] > 1000


def test_every_user_has_a_profile_and_a_list_of_goods_that_have_a_title(night: Night, published: Snapshot) -> None:
    users = set(column(night, "events", "user_key"))
    lists = published.table("recommendations")
    assert set(published.table("user_profiles")["user_key"].to_pylist()) == users
    assert set(lists["user_key"].to_pylist()) == users
    assert set(lists["item_id"].to_pylist()) <= set(column(night, "items", "item_id"))


def test_money_nobody_told_is_not_made_up(published: Snapshot) -> None:
    profiles = published.table("user_profiles")
    assert profiles["spend_cents_90d"].null_count == len(profiles)
    assert "USD" not in profiles["summary"][0].as_py()


def test_what_the_shop_does_not_hand_over_is_named(published: Snapshot) -> None:
    status = {row["table_name"]: row for row in published.table("run_status").to_pylist()}
    assert status["ad_audiences"]["status"] == status["shop_documents"]["status"] == "no_input"
    assert status["shop_documents"]["status_reason"] == "the shop hands over no documents"
    assert status["answers"]["status"] == "produced" and status["recommendations"]["rows"] > 4000


def test_every_review_is_read_and_items_rest_on_them(night: Night, published: Snapshot) -> None:
    reviews, items = published.table("review_sentiment"), published.table("item_sentiment")
    assert reviews["review_id"].to_pylist() == sorted(column(night, "reviews", "review_id"))
    assert published.manifest.models["sentiment"] in set(reviews["model_version"].to_pylist())
    whole = items.filter(pc.field("aspect") == "(all)")
    assert sum(whole["mentions"].to_pylist()) == len(reviews)
    assert len(set(items["aspect"].to_pylist())) > 5
    texts = dict(zip(column(night, "reviews", "review_id"), column(night, "reviews", "review_text"), strict=True))
    assert all(one["review_id"] in texts for row in items["evidence"].to_pylist() for one in row)


def test_no_list_shows_what_lies_under_the_sentiment_floor(published: Snapshot) -> None:
    items = published.table("item_sentiment")
    under = set(items.filter(pc.field("is_suppressed"))["item_id"].to_pylist())
    assert under == {"B00PGOMSU0", "B00MV9O08G", "B00MV9N316"}
    for name in ("recommendations", "cart_recommendations"):
        rows = published.table(name)
        if name == "cart_recommendations":
            rows = rows.filter(pc.field("context") == "basket")
        assert len(rows)
        assert not under & set(rows["item_id"].to_pylist())
