"""A shop's settings are right or refused with the file and the key; nothing changes them afterwards."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from pipeline.errors import ConfigError
from pipeline.settings import known_shops, load_shop

Write = Callable[..., Path]
GONE = object()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the built-in grocer's settings with changes by dotted key into a folder of shops."""
    monkeypatch.setenv("SHOPKEEL_SHOPS", str(tmp_path))

    def written(**changes: Any) -> Path:
        layout = yaml.safe_load(known_shops()["grocer"].read_text())
        for key, value in changes.items():
            *parents, last = key.split(".")
            place = layout
            for parent in parents:
                place = place[parent]
            place.pop(last) if value is GONE else place.update({last: value})
        path = tmp_path / "corner.yaml"
        path.write_text(yaml.safe_dump(layout))
        return path

    return written


def test_every_built_in_shop_loads() -> None:
    shops = [load_shop(name) for name in known_shops()]
    assert [shop.name for shop in shops] == list(known_shops())
    grocer = load_shop("grocer")
    assert (grocer.first_day, grocer.zone.key, grocer.max_users) == (date(2017, 1, 1), "America/New_York", None)


def test_a_file_is_loaded_by_path_and_by_name(write: Write) -> None:
    path = write(name="corner", max_users=9)
    assert load_shop(str(path)) == load_shop("corner")
    assert load_shop("corner").max_users == 9


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("colour", "blue", "Extra inputs"),
        ("encoder.colour", "blue", "Extra inputs"),
        ("name", "Corner Shop", "match pattern"),
        ("name", "../elsewhere", "match pattern"),
        ("adapter", "baker", "'grocer'"),
        ("profile", "test", "'production' or 'demo'"),
        ("timezone", "America/Gotham", "no IANA time zone"),
        ("currency", "dollars", "match pattern"),
        ("provenance", GONE, "required"),
        ("consent_without_flags", "maybe", "'denied' or 'granted'"),
        ("threads", 0, "greater than 0"),
        ("first_day", "the first", "valid date"),
        ("first_day", GONE, "required"),
        ("holdout_days", 1.5, "valid integer"),
        ("max_users", 0, "greater than 0"),
        ("encoder", None, "valid dictionary"),
        ("policy", 3, "valid dictionary"),
        ("pages", 3, "valid dictionary"),
        ("encoder.max_tokens", 513, "less than or equal to 512"),
        ("encoder.training", GONE, "required"),
        ("recommender.training.learning_rate", 0, "greater than 0"),
        ("recommender.training.learning_rate", float("nan"), "finite"),
        ("recommender", {"heads": 3}, "required"),
        ("cart.max_basket", 1, "greater than 1"),
        ("audiences.holdout_share", 0.5, "less than 0.5"),
        ("audiences.min_size", 99, "greater than or equal to 100"),
        ("audiences.match_rate", 0, "greater than 0"),
        ("thresholds.audiences_max_calibration_error", 2, "less than or equal to 1"),
        # A bound that is no number would let every challenger pass.
        ("thresholds.recommendations_min_ndcg_gain", float("nan"), "finite"),
        ("thresholds.audiences_min_auc_gain", float("-inf"), "finite"),
    ],
)
def test_a_wrong_key_is_refused_by_file_and_key(write: Write, key: str, value: object, words: str) -> None:
    path = write(**{key: value})
    with pytest.raises(ConfigError) as refused:
        load_shop(str(path))
    message = str(refused.value)
    assert message.startswith(f"{path}: {key}") and words in message and message.endswith("; mend this key")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": "production"}, "consent_without_flags: granted is for the demo profile only"),
        (
            {"profile": "production", "consent_without_flags": "denied"},
            "audiences.min_size below 1000 is for the demo profile only",
        ),
        ({"recommender.heads": 3}, "width must be a multiple of heads"),
        ({"encoder.training.method": "lora"}, "encoder.training.method: only full"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(write: Write, changes: dict[str, Any], words: str) -> None:
    path = write(**changes)
    with pytest.raises(ConfigError, match=words) as refused:
        load_shop(str(path))
    assert str(refused.value).startswith(f"{path}: ")


def test_a_production_shop_with_production_floors_loads(write: Write) -> None:
    changes = {"profile": "production", "consent_without_flags": GONE, "audiences.min_size": 1000, "thresholds": GONE}
    shop = load_shop(str(write(**changes)))
    assert (shop.profile, shop.consent_without_flags, shop.thresholds) == ("production", "denied", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"name: [grocer", "not readable YAML"),
        (b"name: grocer\n\tadapter: grocer", "not readable YAML"),
        (b"name: \xff\xfe", "not readable YAML"),
        (b"first_day: 2017-02-30", "not readable YAML .day is out of range for month"),
        (b"a: !!python/object/apply:os.system ['true']", "not readable YAML"),
        (b"", "expected a mapping"),
        (b"- grocer", "expected a mapping"),
        (b"1: grocer", "mend this key"),
    ],
)
def test_a_file_that_is_no_settings_is_refused(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "shop.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=words) as refused:
        load_shop(str(path))
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["baker", "", "../grocer", "missing.yaml"])
def test_an_unknown_shop_is_refused_and_known_ones_named(name: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown; choose one of grocer, movies or give a \.yaml path"):
        load_shop(name)


def test_a_folder_of_shops_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOPKEEL_SHOPS", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="no such folder"):
        load_shop("grocer")


def test_a_shop_names_its_balance_policy_or_takes_the_default(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_shop("grocer").policy == load_shop(str(write(policy="default"))).policy
    calm = yaml.safe_load((known_shops()["grocer"].parent / "policies" / "default.yaml").read_text()) | {
        "week_limit": 4
    }
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "calm.yaml").write_text(yaml.safe_dump(calm))
    monkeypatch.setenv("POLICIES", "own")
    for place in ("own/calm.yaml", "${POLICIES}/calm.yaml"):  # relative to the shop's file
        shop = load_shop(str(write(policy=place)))
        assert shop.policy.week_limit == 4
        assert shop.policy_hash != load_shop("grocer").policy_hash
    with pytest.raises(ConfigError, match="policy 'loud': unknown; choose one of default"):
        load_shop(str(write(policy="loud")))


def test_a_shop_names_its_layout_file_or_takes_the_default(write: Write, tmp_path: Path) -> None:
    default = yaml.safe_load((known_shops()["grocer"].parent / "pages" / "default.yaml").read_text())
    assert load_shop(str(write(pages=GONE))).pages == load_shop(str(write(pages="default"))).pages
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "wide.yaml").write_text(yaml.safe_dump(default | {"module_items": 30}))
    shop = load_shop(str(write(pages="own/wide.yaml")))  # relative to the shop's file
    assert shop.pages.module_items == 30
    assert shop.policy_hash != load_shop(str(write(pages="default"))).policy_hash
    assert load_shop(str(write(pages=default))).pages.module_items == 10


def test_settings_are_frozen() -> None:
    shop = load_shop("grocer")
    with pytest.raises(ValidationError, match="frozen"):
        shop.seed = 8
    with pytest.raises(ValidationError, match="frozen"):
        shop.encoder.training.steps = 1


def test_the_policy_hash_tells_any_change_and_nothing_else(write: Write) -> None:
    same = load_shop(str(write()))
    assert same.policy_hash == load_shop("grocer").policy_hash
    changes: list[dict[str, Any]] = [{"seed": 8}, {"cart.list_size": 11}, {"thresholds": GONE}, {"never_recommend": []}]
    hashes = {load_shop(str(write(**change))).policy_hash for change in changes}
    assert len(hashes - {same.policy_hash}) == len(changes)


def test_a_platform_gives_every_shop_a_place_in_its_object_store_and_a_shops_own_goes_before(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_shop("grocer")
    assert before.object_store is None
    monkeypatch.setenv("SHOPKEEL_OBJECT_STORE", "s3://snapshots/")
    placed = load_shop("grocer")
    assert (placed.object_store, placed.policy_hash) == ("s3://snapshots/grocer", before.policy_hash)
    assert load_shop(str(write(object_store="s3://own/place"))).object_store == "s3://own/place"
