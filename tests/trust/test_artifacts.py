"""Malicious artifacts: each lies where a night would read it, each is refused, and nothing in it runs."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from pipeline.errors import ShopkeelError
from pipeline.learning import champions, checkpoints
from pipeline.settings import LandingSettings, load_shop
from pipeline.shops.landing import Landing
from tests.trust.conftest import Trust

DAY = date(2020, 3, 1)
WEIGHTS = {"w": np.arange(6.0).reshape(2, 3)}


@dataclass(frozen=True)
class Scene:
    """Where an attack is laid.

    Attributes:
        folder: of a checkpoint that somebody hands over, with its configuration.
        store: of kept models, with one version of a model `m`.
        canary: what a payload that ran would leave.
    """

    folder: Path
    store: Path
    version: str
    canary: Path

    @property
    def payload(self) -> bytes:
        """A pickle that runs a command as it is read."""
        return f"cos\nsystem\n(S'touch {self.canary}'\ntR.".encode()

    def config(self, name: str = "config.json", **more: Any) -> None:
        (self.folder / name).write_text(json.dumps({"model_type": "bert", **more}))

    def weights(self, data: bytes, name: str = "model.safetensors") -> None:
        (self.folder / name).write_bytes(data)


def headed(header: dict[str, Any], data: bytes = b"\0" * 48) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(begin: int, end: int) -> dict[str, Any]:
    return {"dtype": "F64", "shape": [3], "data_offsets": [begin, end]}


def pickled(scene: Scene) -> None:
    scene.weights(scene.payload, "pytorch_model.bin")


def packed_pickle(scene: Scene) -> None:
    scene.weights(gzip.compress(scene.payload))


def archive_that_climbs(scene: Scene) -> None:
    """What torch.save writes, with a name that leads out of wherever it is unpacked."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("archive/data.pkl", scene.payload)
        archive.writestr("../../../" + scene.canary.name, b"here")
    scene.weights(held.getvalue())


def huge_header(scene: Scene) -> None:
    scene.weights(struct.pack("<Q", 1 << 60) + b"{}")


def beyond_the_end(scene: Scene) -> None:
    scene.weights(headed({"w": tensor(0, 1 << 40)}))


def overlapping(scene: Scene) -> None:
    scene.weights(headed({"a": tensor(0, 24), "b": tensor(8, 32)}))


def nested(scene: Scene) -> None:
    scene.weights(save(WEIGHTS))
    (scene.folder / "config.json").write_text("[" * 200_000 + "]" * 200_000)


def code_of_its_own(scene: Scene) -> None:
    scene.weights(save(WEIGHTS))
    (scene.folder / "modeling.py").write_text(f"open({str(scene.canary)!r}, 'w')")
    scene.config(auto_map={"AutoModel": "modeling.Model"})


def loader_module(scene: Scene) -> None:
    scene.weights(save(WEIGHTS))
    scene.config("tokenizer_config.json", loader_module="modeling")


def link_out(scene: Scene) -> None:
    elsewhere = scene.folder.parent / "elsewhere.safetensors"
    save_file(WEIGHTS, elsewhere)
    (scene.folder / "model.safetensors").symlink_to(elsewhere)


def shard_that_climbs(scene: Scene) -> None:
    scene.weights(save(WEIGHTS))
    (scene.folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "../../etc/shadow"}}))


def changed_champion(scene: Scene) -> None:
    path = scene.store / "m" / scene.version / champions.WEIGHTS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def pickle_beside_a_champion(scene: Scene) -> None:
    (scene.store / "m" / scene.version / "order.pkl").write_bytes(scene.payload)


def link_in_a_champion(scene: Scene) -> None:
    path = scene.store / "m" / scene.version / champions.WEIGHTS
    (scene.folder / "same").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(scene.folder / "same")


HANDED_OVER = (
    pickled, packed_pickle, archive_that_climbs, huge_header, beyond_the_end, overlapping, nested, code_of_its_own,
    loader_module, link_out, shard_that_climbs,
)  # fmt: skip
KEPT = (changed_champion, pickle_beside_a_champion, link_in_a_champion)
NAMES = ("../../models/m", "", ".", "..", "0" * 11 + "/", "%2e%2e")


@pytest.fixture
def lay(tmp_path: Path) -> Callable[[str], Scene]:
    def laid(name: str) -> Scene:
        root = tmp_path / (name or "none").replace("/", "-")
        (root / "model").mkdir(parents=True)

        def write(folder: Path) -> None:
            save_file(WEIGHTS, folder / champions.WEIGHTS)
            champions.write_json(folder / champions.CONFIG, {"kind": "m"})

        scene = Scene(root / "model", root / "store", champions.keep(root / "store", "m", write), root / "canary")
        scene.config()
        return scene

    return laid


def refused(ask: Callable[[], object], canary: Path) -> bool:
    try:
        ask()
    except ShopkeelError:
        return not canary.exists()
    return False


def test_what_means_no_harm_is_opened(lay: Callable[[str], Scene]) -> None:
    scene = lay("fine")
    scene.weights(save(WEIGHTS))
    assert checkpoints.resolve(f"path:{scene.folder}", scene.folder.parent) == scene.folder
    assert champions.folder(scene.store, "m", scene.version).is_dir()


def test_malicious_artifacts_are_refused_unread(lay: Callable[[str], Scene], trust: Trust) -> None:
    outcomes: dict[str, bool] = {}
    for attack in HANDED_OVER:
        scene = lay(attack.__name__)
        attack(scene)
        reference = f"path:{scene.folder}"
        outcomes[attack.__name__] = refused(
            lambda reference=reference, scene=scene: checkpoints.resolve(reference, scene.store), scene.canary
        )
    for attack in KEPT:
        scene = lay(attack.__name__)
        attack(scene)
        outcomes[attack.__name__] = refused(
            lambda scene=scene: champions.folder(scene.store, "m", scene.version), scene.canary
        )
    for name in NAMES:
        scene = lay(f"version {name}")
        outcomes[f"version {name!r}"] = refused(
            lambda scene=scene, name=name: champions.folder(scene.store, "m", name), scene.canary
        )
    let_through = [name for name, was in outcomes.items() if not was]
    note = "weights, configurations, shards, kept versions" + (
        f"; not: {', '.join(let_through)}" if let_through else ""
    )
    trust.all_of("malicious artifacts refused", sum(outcomes.values()), len(outcomes), note)


def test_uploads_that_unpack_to_more_or_run_code_are_set_aside(
    tmp_path: Path, connection: Any, trust: Trust, lay: Callable[[str], Scene]
) -> None:
    limits = LandingSettings(path=str(tmp_path / "drops"), max_file_mib=1, memory_gib=1, seconds_per_file=20)
    shop = load_shop("grocer").model_copy(update={"adapter": "landing", "landing": limits, "first_day": DAY})
    folder, scene = tmp_path / "drops" / "events" / f"ds={DAY}", lay("uploads")
    folder.mkdir(parents=True)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("../../../canary", b"here")
    bombs = {
        "bomb.csv.gz": gzip.compress(b"\0" * (64 << 20)),
        "nested.jsonl": b"[" * 500_000 + b"\n",
        "climbs.zip": held.getvalue(),
        "pickle.pkl": scene.payload,
        "pickle.parquet": scene.payload,
        "index.parquet": b"PAR1" + struct.pack("<I", 1 << 31) + b"PAR1",
    }
    for name, data in bombs.items():
        (folder / name).write_bytes(data)
    (folder / "link.csv").symlink_to("/etc/passwd")
    source = Landing(shop, connection)
    try:
        arrived = source.arrivals("events", None, DAY, {})
        assert arrived is not None
        read = arrived.rows.to_pyarrow().to_pylist()
    finally:
        source.intake.parser.close()
    names = {Path(file.address).name for file in arrived.refused}
    # A line that is no row is counted, not read.
    names |= {Path(row["origin"]).name.split(":")[0] for row in read if row["misread"]}
    assert not scene.canary.exists() and not [row for row in read if not row["misread"]]
    trust.all_of(
        "malicious uploads set aside", len(names & {*bombs, "link.csv"}), len(bombs) + 1, "bombs, links, pickles"
    )
