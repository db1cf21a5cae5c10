"""Model references: what they resolve to, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import ConfigError
from pipeline.learning import checkpoints


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """A package that carries weights, known under the name `toy`."""
    model = tmp_path / "site" / "toy_weights" / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "config.json").write_text("{}")
    (model / "README.md").write_text("left behind")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    known = checkpoints.Embedded(
        "toy_weights", "model", "model.safetensors", checkpoints.sha256(model / "model.safetensors"), "MIT", "org/toy"
    )
    monkeypatch.setattr(checkpoints, "EMBEDDED", {"toy": known})
    return model


def test_embedded_weights_become_a_plain_folder_with_their_licence(carried, tmp_path):
    folder = checkpoints.resolve("embedded:toy", tmp_path / "home")
    assert sorted(path.name for path in folder.iterdir()) == ["LICENCE.json", "config.json", "model.safetensors"]
    assert json.loads((folder / "LICENCE.json").read_text())["licence"] == "MIT"
    assert checkpoints.prepare(tmp_path / "home") == {"toy": folder}


def test_what_was_unpacked_needs_the_package_no_more(carried, tmp_path):
    folder = checkpoints.resolve("embedded:toy", tmp_path)
    (carried / "model.safetensors").unlink()
    assert checkpoints.resolve("embedded:toy", tmp_path) == folder


def test_other_weights_than_the_known_are_refused_and_nothing_is_left(carried, tmp_path):
    (carried / "model.safetensors").write_bytes(b"weights!")
    with pytest.raises(ConfigError, match="not the known"):
        checkpoints.resolve("embedded:toy", tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_missing_package_says_how_to_get_it(carried, tmp_path, monkeypatch):
    gone = replace(checkpoints.EMBEDDED["toy"], package="no_such_package_of_weights")
    monkeypatch.setattr(checkpoints, "EMBEDDED", {"toy": gone})
    with pytest.raises(ConfigError, match="make weights"):
        checkpoints.resolve("embedded:toy", tmp_path)


def test_a_path_is_taken_as_it_is(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"no \.safetensors"):
        checkpoints.resolve(f"path:{tmp_path}", tmp_path / "home")
    save_file({"w": np.zeros(2)}, tmp_path / "model.safetensors")
    assert checkpoints.resolve(f"path:{tmp_path}", tmp_path / "home") == tmp_path


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("embedded:gpt-17", "unknown"),
        ("minilm-l6", "unknown"),
        ("https://example.org/model", "unknown"),
        ("path:/no/such/model", "no config.json"),
        ("hf:nobody/nothing@main", "not in the local cache"),
        ("hf:nobody/nothing", "not in the local cache"),
        ("hf:not//a name", "not in the local cache"),
        ("hf:", "not in the local cache"),
    ],
)
def test_references_to_nothing_are_refused(reference, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        checkpoints.resolve(reference, tmp_path)


def test_the_embedded_encoder_is_installed_and_loads(tiny_bert, tmp_path):
    """The fixture took its tokenizer from it; its configuration is a MiniLM's."""
    folder = checkpoints.resolve("embedded:minilm-l6", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    assert (config["hidden_size"], config["num_hidden_layers"]) == (384, 6)
    assert json.loads((folder / "LICENCE.json").read_text())["licence"] == "Apache-2.0"


def test_weights_that_must_be_converted_are(carried, tmp_path, monkeypatch):
    def convert(source, target):
        (target / "config.json").write_text(source.read_text())

    known = replace(checkpoints.EMBEDDED["toy"], convert=convert)
    monkeypatch.setattr(checkpoints, "EMBEDDED", {"toy": known})
    folder = checkpoints.resolve("embedded:toy", tmp_path / "home")
    assert sorted(path.name for path in folder.iterdir()) == ["LICENCE.json", "config.json"]
    assert (folder / "config.json").read_text() == "weights"


def test_a_machine_without_a_package_prepares_the_others(carried, tmp_path, monkeypatch):
    gone = replace(checkpoints.EMBEDDED["toy"], package="no_such_package_of_weights")
    monkeypatch.setattr(checkpoints, "EMBEDDED", checkpoints.EMBEDDED | {"gone": gone})
    assert list(checkpoints.prepare(tmp_path)) == ["toy"]
    assert not checkpoints.is_at_hand("embedded:gone")
    assert checkpoints.is_at_hand("path:/anywhere")


def test_weights_whose_reader_is_not_installed_say_which_extra_brings_it(carried, tmp_path, monkeypatch):
    unread = replace(checkpoints.EMBEDDED["toy"], reader="no_such_reader")
    monkeypatch.setattr(checkpoints, "EMBEDDED", {"toy": unread})
    assert not checkpoints.is_at_hand("embedded:toy")
    with pytest.raises(ConfigError, match="generator"):
        checkpoints.resolve("embedded:toy", tmp_path)
