"""A balance policy is right or refused with the file and the key, and every threshold says why it is what it is."""

import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from pipeline.errors import ConfigError
from pipeline.policy import SURFACES, load_policy

DEFAULT = Path(str(resources.files("pipeline.shops"))) / "policies" / "default.yaml"
GONE = object()
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the default policy with changes by dotted key."""

    def written(**changes: Any) -> Path:
        layout = yaml.safe_load(DEFAULT.read_text())
        for key, value in changes.items():
            *parents, last = key.split(".")
            place = layout
            for parent in parents:
                place = place[parent]
            place.pop(last) if value is GONE else place.update({last: value})
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump(layout))
        return path

    return written


def test_the_default_keeps_the_promises_of_the_design() -> None:
    policy = load_policy("default")
    assert tuple(policy.surfaces) == SURFACES
    assert (policy.grid.budget_idle[-1], policy.grid.budget_active[-1]) == (2, 5)
    assert policy.week_limit <= 7
    assert (policy.start.pinned_idle, policy.pinned_active) == (3, 1)
    assert (policy.stale_days, policy.stale_share, policy.bounds.accuracy_lower) == (7, 0.05, 0.99)


def test_a_file_is_read_by_path_and_nothing_changes_it_afterwards(write: Write) -> None:
    policy = load_policy(str(write(week_limit=5)))
    assert policy == load_policy("default").model_copy(update={"week_limit": 5})
    with pytest.raises(ValidationError, match="frozen"):
        policy.week_limit = 6


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("colour", "blue", "Extra inputs"),
        ("audit.exposure.brand", [1.5, 2.0], "less than or equal to 1"),
        ("audit.leakage_auc", 0.4, "greater than or equal to 0.5"),
        ("audit.least_group", 3, "greater than or equal to 10"),
        ("audit", GONE, "Field required"),
        ("explore.colour", "blue", "Extra inputs"),
        ("rbo_p", 1, "less than 1"),
        ("rbo_p", GONE, "required"),
        ("surfaces.shelf", {"size": 3}, "Input should be 'home'"),
        ("surfaces.home.size", 0, "greater than 0"),
        ("devices", {}, "at least 1 item"),
        ("grid.calibration", [0.5, 1.5], "less than or equal to 1"),
        ("grid.distil", [], "at least 1 item"),
        ("start.budget_idle", 1.5, "valid integer"),
        ("stale_days", 2, "greater than or equal to 3"),
        ("explore.temperature", 0, "greater than 0"),
        ("core_kappa", float("nan"), "finite"),
        ("bounds.accuracy_lower", GONE, "required"),
        ("bounds.exposure_low", 1.1, "less than or equal to 1"),
        ("layout.margin", -0.1, "greater than or equal to 0"),
    ],
)
def test_a_wrong_key_is_refused_by_file_and_key(write: Write, key: str, value: object, words: str) -> None:
    path = write(**{key: value})
    with pytest.raises(ConfigError) as refused:
        load_policy(str(path))
    message = str(refused.value)
    assert message.startswith(f"{path}: {key}") and words in message and message.endswith("; mend this key")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"surfaces.cart": GONE}, "surfaces: cart missing"),
        ({"grid.distil": [0.5, 0.0]}, "distil: values must ascend, each once"),
        ({"grid.budget_idle": [1, 1]}, "budget_idle: values must ascend, each once"),
        ({"start.distil": 0.7}, "start.distil 0.7 is not on the grid"),
        ({"grid.budget_idle": [1, 8]}, "budget_idle goes past week_limit"),
        ({"pinned_active": 10}, r"shorter than the shortest list \(10 places\)"),
        ({"grid.pinned_idle": [3, 10]}, "pinned head must be shorter"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(write: Write, changes: dict[str, Any], words: str) -> None:
    path = write(**changes)
    with pytest.raises(ConfigError, match=words) as refused:
        load_policy(str(path))
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"rbo_p: [0.9", "not readable YAML"),
        (b"rbo_p: \xff\xfe", "not readable YAML"),
        (b"a: !!python/object/apply:os.system ['true']", "not readable YAML"),
        (b"", "expected a mapping, key: value, of policy"),
        (b"- 1", "expected a mapping"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=words) as refused:
        load_policy(str(path))
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["none", "", "../default", "missing.yaml"])
def test_an_unknown_policy_is_refused_and_known_ones_named(name: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown; choose one of default or give a \.yaml path"):
        load_policy(name)


def test_every_threshold_of_the_default_is_explained() -> None:
    lines = DEFAULT.read_text().splitlines()
    for place, line in enumerate(lines):
        if re.match(r"\w+:", line):
            above = place - 1
            while above >= 0 and re.match(r"\w+:", lines[above]):
                above -= 1  # thresholds that stand together share their words
            assert lines[above].startswith("#"), line


def test_an_axis_without_a_band_is_refused(write: Write) -> None:
    with pytest.raises(ConfigError, match="price_band, popularity, newness missing"):
        load_policy(str(write(**{"audit.exposure": {"brand": [0.5, 2.0]}})))
