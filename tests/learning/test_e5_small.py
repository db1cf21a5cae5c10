"""The 4-bit file: a tiny one written here by the layout the module states, read back weight by weight."""

import struct

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.learning import e5_small

HIDDEN, LAYERS, HEADS, INNER, POSITIONS, TYPES = 32, 1, 2, 64, 16, 1
PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0), ("味道", -2.0), ("▁good", -2.5)]


def packed(rng, *shape):
    """Random 4-bit weights: their bytes, and what they stand for."""
    count = int(np.prod(shape)) // 32
    scale, values = rng.random(count).astype("<f2"), rng.integers(0, 16, (count, 32)).astype(np.uint8)
    blocks = np.zeros(count, e5_small.Q4)
    blocks["scale"], blocks["halves"] = scale, values[:, :16] | (values[:, 16:] << 4)
    return blocks.tobytes(), ((values.astype(np.float32) - 8) * scale.astype(np.float32)[:, None]).reshape(shape)


@pytest.fixture
def carried(tmp_path):
    rng, tensors = np.random.default_rng(0), {}

    def plain(name, *shape):
        value = rng.random(shape).astype("<f4")
        tensors[name] = (value.tobytes(), value)

    tensors["emb.word"] = packed(rng, len(PIECES), HIDDEN)
    for name, rows in (("emb.pos", POSITIONS), ("emb.type", TYPES)):
        plain(name, rows, HIDDEN)
    for name in ("emb.ln.w", "emb.ln.b", "l0.aln.w", "l0.aln.b", "l0.oln.w", "l0.oln.b"):
        plain(name, HIDDEN)
    for name, shape in {"q": 0, "k": 0, "v": 0, "ao": 0, "fi": (INNER, HIDDEN), "fo": (HIDDEN, INNER)}.items():
        tensors[f"l0.{name}.w"] = packed(rng, *(shape or (HIDDEN, HIDDEN)))
        plain(f"l0.{name}.b", (shape or (HIDDEN,))[0])
    text = b"".join(piece.encode() for piece, _ in PIECES)
    starts = np.cumsum([0] + [len(piece.encode()) for piece, _ in PIECES]).astype("<u4")
    head = e5_small.MAGIC + struct.pack(
        "<I7ifi", 1, HIDDEN, LAYERS, HEADS, INNER, len(PIECES), POSITIONS, TYPES, 1e-12, 4
    )
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text)) + starts.tobytes()
    head += np.array([score for _, score in PIECES], "<f4").tobytes() + text + struct.pack("<iI", 0, 0)
    names = sorted(tensors)
    directory = sum(2 + len(name) + 1 + 4 + 8 + 8 for name in names) + 4
    offset, entries, body = len(head) + directory, struct.pack("<i", len(names)), b""
    for name in names:
        data = tensors[name][0]
        entries += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, 0, offset, len(data))
        offset, body = offset + len(data), body + data
    path = tmp_path / "small.bin"
    path.write_bytes(head + entries + body)
    return path, {name: value for name, (_, value) in tensors.items()}


def test_every_weight_and_the_tokenizer_come_out_as_they_were(carried, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    path, tensors = carried
    target = tmp_path / "model"
    target.mkdir()
    e5_small.convert(path, target)
    weights = AutoModel.from_pretrained(target, add_pooling_layer=False).state_dict()
    assert np.array_equal(weights["embeddings.word_embeddings.weight"].numpy(), tensors["emb.word"])
    assert np.array_equal(weights["encoder.layer.0.intermediate.dense.weight"].numpy(), tensors["l0.fi.w"])
    assert np.array_equal(weights["encoder.layer.0.output.LayerNorm.bias"].numpy(), tensors["l0.oln.b"])
    tokenizer = AutoTokenizer.from_pretrained(target)
    assert tokenizer("味道 good").input_ids == [0, 4, 5, 6, 2]
    assert tokenizer.pad_token_id == 1


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.bin"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ConfigError, match="make weights"):
        e5_small.convert(path, tmp_path)
