"""Manifests: what goes in comes out, the id is the content's, and a broken file says where and what."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.warehouse.manifest import ID, Manifest, TableFile, content_id, day_of

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
COUNTS = st.integers(0, 2**40)
FILES = st.builds(TableFile, NAMES, st.just("x.parquet"), COUNTS, COUNTS, HASHES, HASHES)
TABLES = st.lists(FILES, max_size=4, unique_by=lambda file: file.name).map(
    lambda files: {file.name: replace(file, file=f"{file.name}.parquet") for file in files}
)
MANIFESTS = st.builds(
    Manifest.of,
    shop=NAMES,
    day=st.dates(),
    parent=st.none() | st.from_regex(ID, fullmatch=True),
    tables=TABLES,
    models=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    policy_hash=st.text(max_size=5),
    code_version=st.text(max_size=5),
    run=st.text(max_size=5),
)


@given(MANIFESTS)
def test_what_goes_in_comes_out(manifest):
    text = manifest.to_json()
    assert Manifest.from_json(text) == manifest
    assert Manifest.from_json(text).to_json() == text


@given(MANIFESTS, st.text(max_size=5), st.randoms(use_true_random=False))
def test_the_id_does_not_see_the_run_or_any_order(manifest, other, random):
    tables = dict(random.sample(list(manifest.tables.items()), len(manifest.tables)))
    models = dict(random.sample(list(manifest.models.items()), len(manifest.models)))
    again = Manifest.of(
        shop="other",
        day=manifest.day,
        parent=None,
        tables=tables,
        models=models,
        policy_hash=manifest.policy_hash,
        code_version=other,
        run=other,
    )
    assert again.snapshot == manifest.snapshot
    assert day_of(again.snapshot) == manifest.day


ONE = TableFile("one", "one.parquet", 3, 90, "a" * 64, "b" * 64)


@pytest.mark.parametrize(
    "changed",
    [
        {"tables": {"one": replace(ONE, sha256="c" * 64)}},
        {"tables": {"one": replace(ONE, fingerprint="c" * 64)}},
        {"tables": {"two": replace(ONE, name="two", file="two.parquet")}},
        {"tables": {}},
        {"models": {"ranker": "v2"}},
        {"policy_hash": "other"},
        {"day": date(2020, 1, 2)},
    ],
)
def test_the_id_sees_every_content(changed):
    content = {"day": date(2020, 1, 1), "tables": {"one": ONE}, "models": {"ranker": "v1"}, "policy_hash": "policy"}
    assert content_id(**(content | changed)) != content_id(**content)


def broken(change: dict) -> str:
    """A sound manifest's JSON with keys changed; None drops one."""
    sound = Manifest.of(
        shop="corner",
        day=date(2020, 1, 1),
        parent=None,
        tables={"one": ONE},
        models={},
        policy_hash="p",
        code_version="1",
        run="night",
    )
    values = json.loads(sound.to_json()) | change
    return json.dumps({key: value for key, value in values.items() if value != "drop"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "object"),
        (broken({"run": "drop"}), "run: "),
        (broken({"mood": "good"}), "mood: "),
        (broken({"day": "2020-13-01"}), "day: "),
        (broken({"day": 3}), "day: "),
        (broken({"snapshot": "../../secrets"}), "snapshot: "),
        (broken({"parent": "yesterday"}), "parent: "),
        (broken({"tables": {"one": {"name": "one"}}}), "tables.one.file: "),
        (broken({"policy_hash": "other"}), "does not have the content its id says"),
    ],
)
def test_a_broken_manifest_says_where_and_what(text, says):
    with pytest.raises(DataError) as caught:
        Manifest.from_json(text, "some/manifest.json")
    assert str(caught.value).startswith("some/manifest.json: ")
    assert says in str(caught.value)
    assert "roll back" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../one.parquet"},
        {"file": "two.parquet"},
        {"name": "two"},
        {"rows": -1},
        {"rows": "3"},
        {"sha256": "a"},
    ],
)
def test_a_manifest_names_only_its_own_files(change):
    table = json.loads(ONE.to_json()) | change
    with pytest.raises(DataError, match=r"tables\.one\.|another table's file|content its id says"):
        Manifest.from_json(broken({"tables": {"one": table}}))
