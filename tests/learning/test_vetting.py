"""What may be opened; what may not is tried in `tests/trust/test_artifacts.py`."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import ConfigError
from pipeline.learning import vetting


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint as Hugging Face's cache lays it: links to blobs beside the snapshot."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    save_file({"w": np.zeros((2, 2))}, blobs / "a")
    (snapshot / "model.safetensors").symlink_to(blobs / "a")
    (snapshot / "config.json").write_text('{"model_type": "bert"}')
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "model.safetensors"}}))
    return snapshot


def test_links_within_the_root_are_followed_and_out_of_it_are_not(folder: Path) -> None:
    assert vetting.vetted(folder, folder.parents[1]) == folder
    with pytest.raises(ConfigError, match="leads out"):
        vetting.vetted(folder)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("config.json", "{", "not readable as JSON"),
        ("config.json", '{"auto_map": {}}', "auto_map"),
        ("model.safetensors.index.json", '{"weight_map": {"w": "/etc/shadow"}}', "no file beside it"),
        ("model.safetensors.index.json", '{"weight_map": {"w": 3}}', "no file beside it"),
        ("more.safetensors", "PK", "not readable as safetensors"),
    ],
)
def test_what_is_not_what_it_claims_is_refused(folder: Path, name: str, text: str, words: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(ConfigError, match=words):
        vetting.vetted(folder, folder.parents[1])


def test_json_without_end_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vetting, "JSON_BYTES", 10)
    with pytest.raises(ConfigError, match="MiB of JSON"):
        vetting.vetted(folder, folder.parents[1])


def test_weights_that_are_not_there_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="run code"):
        vetting.vetted(folder, folder.parents[1])
    (folder / "model.safetensors").symlink_to(folder / "gone")
    with pytest.raises(ConfigError, match="leads out"):
        vetting.vetted(folder, folder.parents[1])
