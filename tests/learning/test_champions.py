"""The model store: versions are their content, and only safetensors, JSON and text may stand in it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.learning import champions
from pipeline.learning.champions import Judgement


def writer(weights=b"w", config='{"a": 1}'):
    def write(folder):
        (folder / champions.WEIGHTS).write_bytes(weights)
        (folder / champions.CONFIG).write_text(config)

    return write


def test_the_same_content_is_the_same_version(tmp_path):
    version = champions.keep(tmp_path, "m", writer())
    assert champions.keep(tmp_path, "m", writer()) == version
    assert [path.name for path in (tmp_path / "m").iterdir()] == [version]
    assert champions.content_hash(champions.folder(tmp_path, "m", version)).startswith(version)
    assert len(version) == 12


@pytest.mark.parametrize("other", [writer(b"x"), writer(config='{"a": 2}')])
def test_other_content_is_another_version_beside_it(other, tmp_path):
    versions = {champions.keep(tmp_path, "m", one) for one in (writer(), other)}
    assert versions == {path.name for path in (tmp_path / "m").iterdir()}
    assert len(versions) == 2


def test_where_content_stands_is_part_of_it(tmp_path):
    """Bytes moved from one file to another are another version."""
    assert champions.keep(tmp_path, "m", writer(b"ab", "c")) != champions.keep(tmp_path, "m", writer(b"a", "bc"))


def test_a_half_written_version_is_never_a_version(tmp_path):
    def crash(folder):
        writer()(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        champions.keep(tmp_path, "m", crash)
    version = champions.keep(tmp_path, "m", writer(b"later"))
    assert [path.name for path in (tmp_path / "m").iterdir()] == [version]
    assert champions.folder(tmp_path, "m", version).joinpath(champions.WEIGHTS).read_bytes() == b"later"


@pytest.mark.parametrize("same", [True, False])
def test_keeps_at_once_all_succeed(same, tmp_path):
    def keep(number):
        def write(folder):
            writer(b"w" if same else str(number).encode())(folder)
            together.wait(timeout=30)

        return champions.keep(tmp_path, "m", write)

    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        versions = {*pool.map(keep, range(4))}
    assert len(versions) == (1 if same else 4)
    assert versions == {path.name for path in (tmp_path / "m").iterdir()}
    assert all(champions.folder(tmp_path, "m", version) for version in versions)


@pytest.mark.parametrize("name", ["model.pkl", "model.bin", "model.pt", "weights.joblib", "hook.py", "model"])
def test_files_that_could_run_code_are_refused(name, tmp_path):
    def write(folder):
        writer()(folder)
        (folder / name).write_bytes(b"\x80\x04.")

    with pytest.raises(DataError, match=name):
        champions.keep(tmp_path, "m", write)


@pytest.mark.parametrize("change", ["flip", "add", "drop", "rename"])
def test_a_changed_folder_is_refused(change, tmp_path):
    version = champions.keep(tmp_path, "m", writer(b"weights"))
    folder = tmp_path / "m" / version
    weights = folder / champions.WEIGHTS
    match change:
        case "flip":
            weights.write_bytes(b"weighst")
        case "add":
            (folder / "extra.json").write_text("{}")
        case "drop":
            weights.unlink()
        case "rename":
            weights.rename(folder / "other.safetensors")
    with pytest.raises(DataError, match="were changed"):
        champions.folder(tmp_path, "m", version)


def test_a_version_that_is_gone_says_so(tmp_path):
    with pytest.raises(DataError, match="restore it"):
        champions.folder(tmp_path, "m", "0" * 12)


def test_what_served_is_opened_where_it_is_at_hand(tmp_path):
    version = champions.keep(tmp_path, "m", writer())
    assert champions.at_hand(tmp_path, "m", {"m": version}) == champions.folder(tmp_path, "m", version)
    assert champions.at_hand(tmp_path, "m", {}) is None
    assert champions.at_hand(tmp_path, "m", {"m": "0" * 12}) is None
    (tmp_path / "m" / version / champions.CONFIG).write_text("{}")
    with pytest.raises(DataError, match="were changed"):
        champions.at_hand(tmp_path, "m", {"m": version})


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=6))
def test_json_is_the_same_in_any_order_and_comes_back(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("json")
    champions.write_json(folder / champions.CONFIG, values)
    written = (folder / champions.CONFIG).read_bytes()
    champions.write_json(folder / champions.CONFIG, dict(reversed(values.items())))
    assert (folder / champions.CONFIG).read_bytes() == written
    assert champions.config(folder) == values


def test_a_judgement_is_json_and_comes_back():
    judgement = Judgement("m", "kept", "a" * 12, "b" * 12, "b" * 12, "words")
    assert Judgement(**json.loads(json.dumps(judgement.as_dict()))) == judgement
