"""The text encoder: a pretrained sentence transformer, contrastively fine-tuned on what baskets hold together.

Loss: InfoNCE over in-batch negatives (van den Oord et al. 2018; MultipleNegativesRankingLoss in Sentence-Transformers).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import AutoModel, AutoTokenizer

from pipeline.learning import champions, eight_bits, harness
from pipeline.models.batching import AT_ONCE, batches, padded
from pipeline.record import Recorder
from pipeline.settings import EncoderSettings, Precision
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

TEMPERATURE = 0.05


class Encoder(torch.nn.Module):
    """A transformer with mean pooling and unit-length output; `forward` is the contrastive loss over pairs."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """Load a Hugging Face directory in float32; a pooler is never used, so none is made."""
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.body = AutoModel.from_pretrained(
            folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32, use_safetensors=True
        )
        self.max_tokens = max_tokens

    def tune_top(self, layers: int) -> None:
        """Leave only the top layers trainable; the rest stays as pretrained, which halves the cost of a step."""
        for parameter in self.body.parameters():
            parameter.requires_grad = False
        for layer in self.body.encoder.layer[-layers:]:
            layer.requires_grad_(True)

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Token ids and mask of some texts, padded to the longest."""
        encoded = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        return {name: encoded[name] for name in ("input_ids", "attention_mask")}

    def vectors(self, tokens: dict[str, torch.Tensor]) -> torch.Tensor:
        """Unit vectors [B, H] of tokenised texts."""
        return torch.nn.functional.normalize(pooled(self.body, tokens), dim=-1)

    def forward(
        self, tokens: dict[str, torch.Tensor], texts: torch.Tensor, return_loss: bool = True
    ) -> dict[str, torch.Tensor]:
        """InfoNCE of pairs: rows 2i and 2i+1 belong together; equal texts elsewhere are no negatives.

        Args:
            tokens: ids and mask of 2B texts.
            texts: [2B] index of each text.
            return_loss: read by the Trainer, which then takes the loss in evaluation too.
        """
        vectors = self.vectors(tokens)
        left, right = vectors[::2], vectors[1::2]
        scores = left @ right.T / TEMPERATURE
        same = (texts[1::2].unsqueeze(0) == texts[1::2].unsqueeze(1)) | (
            texts[::2].unsqueeze(1) == texts[1::2].unsqueeze(0)
        )
        same.fill_diagonal_(False)
        labels = torch.arange(len(left), device=scores.device)
        loss = torch.nn.functional.cross_entropy
        forward, backward = scores.masked_fill(same, -1e4), scores.T.masked_fill(same.T, -1e4)
        return {"loss": (loss(forward, labels) + loss(backward, labels)) / 2}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [N, H]; texts are read in batches of like length."""
        device = harness.device()
        self.to(device).eval()
        out = np.zeros((len(texts), self.body.config.hidden_size), np.float32)
        for start in range(0, len(texts), AT_ONCE):
            some, part = list(texts[start : start + AT_ONCE]), out[start : start + AT_ONCE]
            rows = self.tokenizer(some, truncation=True, max_length=self.max_tokens)["input_ids"]
            for places in batches([len(row) for row in rows]):
                tokens = padded([rows[place] for place in places], self.tokenizer.pad_token_id)
                read = self.vectors({name: value.to(device) for name, value in tokens.items()})
                part[places] = read.float().cpu().numpy()
        return out

    def save(self, folder: Path) -> None:
        """Write weights, configuration and tokenizer as a Hugging Face directory."""
        self.body.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def pooled(body: torch.nn.Module, tokens: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean over each text's tokens of the last layer: [B, H]."""
    return mean(body(**tokens).last_hidden_state, tokens["attention_mask"])


def mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over each text's tokens: [B, H] of [B, T, H]."""
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)


@dataclass(frozen=True)
class Pairs:
    """Texts and the pairs among them that baskets held together: indices [N, 2]."""

    texts: list[str]
    pairs: np.ndarray


def sample_pairs(held: pa.Table, texts: list[str], count: int, seed: int) -> Pairs:
    """Draw pairs of texts that baskets hold together more often than chance, surer ones more often.

    Args:
        held: `features.baskets.pairs` over text places instead of item ids, in a total order.
        texts: all texts.
        count: pairs to draw.
        seed: of the drawing.
    """
    together = held.column("together").to_numpy().astype(np.float64)
    expected = held.column("item_baskets").to_numpy().astype(np.float64) * held.column("other_baskets").to_numpy()
    sure = (together - np.sqrt(together)) * held.column("all_baskets").to_numpy() / np.maximum(expected, 1)
    weight = np.log(np.maximum(sure, 1.0)) * np.sqrt(together)
    if not weight.sum():
        return Pairs(texts, np.zeros((0, 2), np.int64))
    drawn = np.random.default_rng(seed).choice(len(weight), size=count, p=weight / weight.sum())
    both = np.stack([held.column("item_id").to_numpy(), held.column("other_id").to_numpy()], 1).astype(np.int64)
    return Pairs(texts, both[drawn])


def train(
    encoder: Encoder,
    fit: Pairs,
    valid: Pairs,
    settings: EncoderSettings,
    *,
    warm: bool,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[int, int], None] | None = None,
) -> Encoder:
    """Fine-tune on pairs and return the encoder at its best validation loss."""

    def collate(rows: list[np.ndarray]) -> dict[str, Any]:
        flat = np.concatenate(rows)
        return {"tokens": encoder.tokens([fit.texts[i] for i in flat]), "texts": torch.from_numpy(flat)}

    encoder.tune_top(settings.trained_layers)
    return harness.fine_tune(
        encoder,
        fit.pairs,
        valid.pairs,
        collate,
        settings=settings.training,
        warm=warm,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
    )


def partner_hits(vectors: np.ndarray, pairs: np.ndarray, k: int = 10) -> np.ndarray:
    """Whether each pair's second text is among the k nearest of its first: float [N], 1 for a hit."""
    scores = vectors[pairs[:, 0]] @ vectors.T
    scores[np.arange(len(pairs)), pairs[:, 0]] = -np.inf
    own = scores[np.arange(len(pairs)), pairs[:, 1]]
    return ((scores > own[:, None]).sum(1) < k).astype(np.float64)


class Reader(Protocol):
    """What makes a row of numbers of a text."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Rows [N, H]."""


class EmbeddingCache:
    """What a model of one version makes of texts, by content hash; only unseen texts are read."""

    def __init__(self, root: Path, version: str, precision: Precision = "float32") -> None:
        """Open (or start) the cache of one version, of its vectors in one precision."""
        self.path = root / version / ("vectors.parquet" if precision == "float32" else f"{precision}.parquet")

    def vectors(self, hashes: list[str], texts: list[str], encoder: Callable[[], Reader]) -> np.ndarray:
        """Vectors [N, H] of texts; `encoder` is loaded only when something is missing."""
        known = self._read()
        missing = [i for i, name in enumerate(hashes) if name not in known]
        if missing:
            fresh = encoder().encode([texts[i] for i in missing])
            known.update({hashes[i]: row for i, row in zip(missing, fresh, strict=True)})
            self._write(known)
        return np.stack([known[name] for name in hashes]) if hashes else np.zeros((0, 0), np.float32)

    def _read(self) -> dict[str, np.ndarray]:
        if not self.path.exists():
            return {}
        table = pq.read_table(self.path)
        rows = table.column("vector").combine_chunks()
        matrix = rows.values.to_numpy().reshape(len(table), -1)
        return dict(zip(table.column("hash").to_pylist(), matrix, strict=True))

    def _write(self, known: dict[str, np.ndarray]) -> None:
        names = sorted(known)
        values = pa.array(np.concatenate([known[name] for name in names]))
        width = len(next(iter(known.values())))
        table = pa.table({"hash": names, "vector": pa.FixedSizeListArray.from_arrays(values, width)})
        with durable.filled(self.path, Step.VECTORS) as path:
            pq.write_table(table, path, compression="zstd")


def load(store: Path, version: str, max_tokens: int, precision: Precision = "float32") -> Encoder:
    """A kept encoder version; in eight bits it reads quicker and is not to be tuned."""
    encoder = Encoder(champions.folder(store, "encoder", version), max_tokens)
    if precision == "int8" and harness.device().type == "cpu":
        encoder.body = eight_bits.rounded(encoder.body)
    return encoder
