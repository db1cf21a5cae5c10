"""Model files that may be opened: safetensors whose header says what is there, JSON of bounded size and depth, no code.

What somebody else made is looked at here before any library reads it; nothing in it is ever run. Not here: whether it
is what was meant (hashes: `checkpoints`, `champions`).
"""

import json
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError, safe_open

from pipeline.errors import ConfigError

CODE = frozenset({"auto_map", "custom_pipelines", "loader_module", "custom_generate"})
JSON_BYTES = 64 << 20  # a tokenizer of a hundred languages has 17 MB
INDEX = ".index.json"


def vetted(folder: Path, root: Path | None = None) -> Path:
    """The folder of a checkpoint, if every weight in it may be opened.

    Args:
        folder: as a Hugging Face model directory.
        root: beyond which no file may lie; the folder itself when left out.

    Raises:
        ConfigError: it holds no safetensors, a file that lies elsewhere, a header or JSON that is not what it claims
            to be, or names code of its own.
    """
    inside = (root or folder).resolve()
    files = sorted(path for path in folder.iterdir() if not path.is_dir())
    for path in files:
        if not path.resolve().is_relative_to(inside) or not path.is_file():
            raise ConfigError(f"{path}: leads out of its folder; copy the file itself")
    weights = [path for path in files if path.suffix == ".safetensors"]
    if not weights:
        raise ConfigError(f"{folder}: no .safetensors; pickled weights run code as they are opened, convert them")
    for path in weights:
        opened(path)
    for path in files:
        if path.suffix == ".json":
            _plain(path)
    return folder


def opened(path: Path) -> None:
    """Check one file of weights by its header.

    Raises:
        ConfigError: it is no safetensors, or its header does not fit what follows.
    """
    try:
        with safe_open(path, "numpy") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{path}: not readable as safetensors ({error}); get it again from its source") from error


def _plain(path: Path) -> None:
    if path.stat().st_size > JSON_BYTES:
        raise ConfigError(f"{path}: {path.stat().st_size >> 20} MiB of JSON, more than {JSON_BYTES >> 20}; get it anew")
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as JSON ({type(error).__name__}); get it from its source") from error
    if isinstance(read, dict) and (named := sorted(CODE & read.keys())):
        raise ConfigError(f"{path}: {named[0]} names code of the model's own, which is never run; use another model")
    if path.name.endswith(INDEX) and isinstance(read, dict):
        shards = read.get("weight_map")
        for name in set(shards.values()) if isinstance(shards, dict) else ():
            if not isinstance(name, str) or PurePosixPath(name).name != name:
                raise ConfigError(f"{path}: {name!r} is no file beside it; get it again from its source")
