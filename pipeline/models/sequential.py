"""The text-aware sequential transformer: reads a user's latest purchases, predicts the next basket.

Items enter and leave as the sum of an id vector and a projection of their text vector, so an item never seen in
training is still reached by its text (SASRec, Kang and McAuley 2018; text as input, UniSRec, Hou et al. 2022).
Loss: sampled softmax with the sampling correction (Bengio and Senécal 2008), or the exact softmax.
Shapes: B batch, L positions, D width, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2Model

from pipeline.features.sequences import Lines
from pipeline.learning import champions, harness
from pipeline.learning.softmax import exact_loss
from pipeline.models.scoring import Scores
from pipeline.record import Recorder
from pipeline.settings import RecommenderSettings

DROPOUT = 0.2
ROWS = 8  # of users whose probabilities are worked out at once
SMOOTHING = 0.75  # negatives are drawn by count to this power (word2vec)


class Vocabulary:
    """Item ids that have an id vector; ids are only appended, so a champion's rows keep their meaning. 0 is none."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self.row = {item: row for row, item in enumerate(ids, start=1)}

    def extended(self, more: list[str]) -> "Vocabulary":
        """The same ids with the new ones after them, in order."""
        return Vocabulary(self.ids + sorted(set(more) - set(self.row)))

    def rows(self, ids: list[str]) -> np.ndarray:
        """Row of each id, 0 where it has none."""
        return np.array([self.row.get(item, 0) for item in ids], np.int64)


class Sequential(torch.nn.Module):
    """Causal transformer over items; `forward` is the training loss."""

    def __init__(self, vocabulary: int, text_width: int, settings: RecommenderSettings) -> None:
        super().__init__()
        width = settings.width
        self.item = torch.nn.Embedding(vocabulary + 1, width, padding_idx=0)
        self.text = torch.nn.Linear(text_width, width, bias=False)
        torch.nn.init.normal_(self.item.weight, std=width**-0.5)
        torch.nn.init.zeros_(self.item.weight[0])
        self.habit = torch.nn.Parameter(torch.ones(()))
        self.body = GPT2Model(
            GPT2Config(
                vocab_size=1,
                n_positions=settings.history,
                n_embd=width,
                n_layer=settings.layers,
                n_head=settings.heads,
                activation_function="gelu_pytorch_tanh",  # GPT-2's own function, as one step
                resid_pdrop=DROPOUT,
                embd_pdrop=DROPOUT,
                attn_pdrop=DROPOUT,
                bos_token_id=None,
                eos_token_id=None,
            )
        )

    def items(self, rows: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """Item vectors [..., D] from vocabulary rows and text vectors."""
        known = (rows > 0).unsqueeze(-1)
        return self.item(rows) * known + self.text(texts)

    def states(self, rows: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """State after each position [B, L, D]; sequences are padded on the right, which causality hides.

        The sum of all items read so far is added, scaled by a learned weight: a direct path for repeat purchases.
        """
        return self.after(self.items(rows, texts))

    def after(self, read: torch.Tensor) -> torch.Tensor:
        """The same of item vectors [B, L, D]."""
        hidden: torch.Tensor = self.body(inputs_embeds=read, use_cache=False).last_hidden_state
        count = torch.arange(1, read.shape[1] + 1, device=read.device, dtype=read.dtype).sqrt()
        return hidden + self.habit * read.cumsum(1) / count[None, :, None]

    def forward(
        self,
        rows: torch.Tensor,
        texts: torch.Tensor,
        place: torch.Tensor,
        target: torch.Tensor,
        target_texts: torch.Tensor,
        negative: torch.Tensor,
        negative_texts: torch.Tensor,
        expected: torch.Tensor | None = None,
        return_loss: bool = True,
    ) -> dict[str, torch.Tensor]:
        """Softmax loss at M positions, sampled or, where nothing is told of how negatives were drawn, exact.

        Args:
            rows: [B, L] vocabulary rows read.
            texts: [B, L, T] their text vectors.
            place: [M] positions with a target, counted over the flattened batch.
            target: [M] rows to predict.
            target_texts: [M, T].
            negative: [N] rows drawn as negatives; all rows, ascending, for the exact loss.
            negative_texts: [N, T].
            expected: [N] log of how often each negative is expected among the draws.
            return_loss: read by the Trainer, which then takes the loss in evaluation too.
        """
        state = self.states(rows, texts).flatten(0, 1)[place]
        return {"loss": self.loss(state, target, target_texts, negative, negative_texts, expected)}

    def loss(
        self,
        state: torch.Tensor,
        target: torch.Tensor,
        target_texts: torch.Tensor,
        negative: torch.Tensor,
        negative_texts: torch.Tensor,
        expected: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The loss of states [M, D]; the rest as of `forward`."""
        others = self.items(negative, negative_texts)
        if expected is None:
            return exact_loss(state, others, torch.searchsorted(negative, target))
        positive = (state * self.items(target, target_texts)).sum(-1, keepdim=True)
        scores = (state @ others.T - expected).masked_fill(negative.unsqueeze(0) == target.unsqueeze(1), -1e4)
        logits = torch.cat([positive, scores], dim=1)
        return torch.nn.functional.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))


class Windows:
    """Training windows cut from users' sequences: items read, and at each position one item of the next basket."""

    def __init__(self, read: list[np.ndarray], target: list[np.ndarray]) -> None:
        """Hold `read` and `target`, of each window int [l] catalogue places, -1 where there is no target."""
        self.read, self.target = read, target

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.read)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """One window; by the Trainer's name for what is read, windows of like length share a batch."""
        return {"input_ids": self.read[index], "labels": self.target[index]}

    def drawn(self, most: int, seed: int) -> "Windows":
        """At most so many of them, drawn by a seed, in their order."""
        some = np.sort(np.random.default_rng(seed).permutation(len(self))[:most]).tolist()
        return Windows([self.read[one] for one in some], [self.target[one] for one in some])


def windows(lines: Lines, length: int, target_age: int | None = None) -> Windows:
    """Cut sequences into windows of at most `length`, the last one ending at the last purchase.

    Each position's target is an item of the user's next basket, spread over that basket's items in turn.

    Args:
        lines: sequences to cut.
        length: positions a window.
        target_age: only targets younger than this many days, and only each user's last window (for validation).
    """
    target = _next_basket(lines, target_age)
    useful = np.r_[0, np.cumsum(target >= 0)]
    read, targets = [], []
    for first, last in pairwise(lines.start.tolist()):
        for end in range(last, first, -length):
            begin = max(first, end - length)
            if useful[end] > useful[begin]:
                read.append(lines.item[begin:end])
                targets.append(target[begin:end])
            if target_age is not None:
                break
    return Windows(read, targets)


def _next_basket(lines: Lines, target_age: int | None) -> np.ndarray:
    """Each position's target: int [M], -1 where there is none; arguments as of `windows`."""
    user = np.repeat(np.arange(len(lines)), np.diff(lines.start))
    begins = np.flatnonzero(np.r_[True, (user[1:] != user[:-1]) | (lines.basket[1:] != lines.basket[:-1])][: len(user)])
    sizes = np.diff(np.r_[begins, len(user)])
    basket = np.repeat(np.arange(len(begins)), sizes)
    later = np.minimum(basket + 1, len(begins) - 1)
    place = begins[later] + (np.arange(len(user)) - begins[basket]) % sizes[later]
    known = (later > basket) & (user[place] == user)
    if target_age is not None:
        known &= lines.age[place] < target_age
    return np.where(known, lines.item[place], -1)


def padded(rows: list[np.ndarray]) -> np.ndarray:
    """Rows of one length, -1 behind the shorter ones: int [B, L]."""
    out = np.full((len(rows), max(1, *map(len, rows))), -1, np.int64)
    for at, row in enumerate(rows):
        out[at, : len(row)] = row
    return out


class Batches:
    """Collates windows into batches and draws their negatives, the same for the same windows."""

    def __init__(self, rows: np.ndarray, texts: np.ndarray, counts: np.ndarray, negatives: int, seed: int) -> None:
        """Set up the drawing.

        Args:
            rows: int [I] vocabulary row of each catalogue place, 0 for none.
            texts: float32 [I, T] text vectors.
            counts: float [I] purchases by the training cut.
            negatives: draws a batch; 0 for all items, and the exact loss.
            seed: of the drawing.
        """
        share = np.where(rows > 0, counts, 0) ** SMOOTHING
        self.share = share / share.sum()
        self.cumulative = np.cumsum(self.share)
        self.rows, self.texts, self.negatives, self.seed = rows, texts, negatives, seed
        self.every = np.argsort(rows)[np.count_nonzero(rows == 0) :]

    def __call__(self, batch: list[dict[str, np.ndarray]]) -> dict[str, Any]:
        """A batch of the loss's arguments."""
        read, target = (padded([row[name] for row in batch]) for name in ("input_ids", "labels"))
        useful = (target >= 0) & (self.rows[target] > 0)
        goal = target[useful]
        return {
            "rows": torch.from_numpy(np.where(read >= 0, self.rows[read], 0)),
            "texts": self._texts(read),
            "place": torch.from_numpy(np.flatnonzero(useful)),
            "target": torch.from_numpy(self.rows[goal]),
            "target_texts": self._texts(goal),
        } | self._others(read)

    def _others(self, read: np.ndarray) -> dict[str, torch.Tensor]:
        """What a batch's targets are told from."""
        if not self.negatives:
            return {"negative": torch.from_numpy(self.rows[self.every]), "negative_texts": self._texts(self.every)}
        draw = np.random.default_rng([self.seed, int(read.sum()) & 0x7FFFFFFF])
        negative = np.searchsorted(self.cumulative, draw.random(self.negatives) * self.cumulative[-1], side="right")
        return {
            "negative": torch.from_numpy(self.rows[negative]),
            "negative_texts": self._texts(negative),
            "expected": torch.from_numpy(np.log(self.negatives * self.share[negative])).float(),
        }

    def _texts(self, items: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.texts[np.maximum(items, 0)] * (items >= 0)[..., None].astype(np.float32))


def train(
    model: Sequential,
    fit: Windows,
    valid: Windows,
    batches: Batches,
    settings: RecommenderSettings,
    *,
    warm: bool,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[int, int], None] | None = None,
) -> Sequential:
    """Train and return the model at its best validation loss."""
    return harness.fine_tune(
        model,
        fit,
        valid,
        batches,
        settings=settings.training,
        warm=warm,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
    )


@torch.inference_mode()
def user_states(
    model: Sequential, lines: Lines, rows: np.ndarray, texts: np.ndarray, length: int, block: int = 128
) -> np.ndarray:
    """State after each user's last purchase, zeros for who bought nothing: float32 [U, D].

    Users of like length are read together, so that little is padded.
    """
    device = harness.device()
    model.to(device).eval()
    out = np.zeros((len(lines), model.item.embedding_dim), np.float32)
    ends, sizes = lines.start[1:], np.minimum(np.diff(lines.start), length)
    order = np.argsort(sizes, kind="stable")[np.count_nonzero(sizes == 0) :]
    taken = np.unique(lines.item)
    some = (torch.from_numpy(one[taken]).to(device) for one in (rows, texts))
    vectors = torch.nn.functional.pad(model.items(*some), (0, 0, 0, 1))  # the last one, of no item, is what pads
    for start in range(0, len(order), block):
        users = order[start : start + block]
        read = padded([np.searchsorted(taken, lines.item[ends[u] - sizes[u] : ends[u]]) for u in users])
        states = model.after(vectors[torch.from_numpy(read).to(device)])
        last = torch.from_numpy(sizes[users] - 1).to(device)
        out[users] = states[torch.arange(len(users), device=device), last].float().cpu().numpy()
    return out


class States:
    """States of users after their last purchase, read when they are first asked for: a few of many cost little."""

    def __init__(self, model: Sequential, lines: Lines, rows: np.ndarray, texts: np.ndarray, length: int) -> None:
        """Of `user_states`' arguments."""
        self.model, self.lines, self.rows, self.texts, self.length = model, lines, rows, texts, length
        self.found = np.full((len(lines), model.item.embedding_dim), np.nan, np.float32)

    def __getitem__(self, users: np.ndarray) -> np.ndarray:
        """States of some users (places): float32 [B, D]."""
        new = np.unique(users[np.isnan(self.found[users, 0])])
        if len(new):
            self.found[new] = user_states(self.model, self.lines.only(new), self.rows, self.texts, self.length)
        return self.found[users]


@torch.inference_mode()
def item_vectors(model: Sequential, rows: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Output vectors of items: float32 [I, D]."""
    model.cpu()
    return model.items(torch.from_numpy(rows), torch.from_numpy(texts)).numpy()


@dataclass(frozen=True)
class Ways:
    """What the transformer expects next, as a way of scoring: each item's probability among all.

    Attributes:
        states: float32 [U, D], or read when asked for.
        vectors: float32 [I, D].
    """

    states: np.ndarray | States
    vectors: np.ndarray

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Probabilities float32 [B, I]."""
        found = self.states[users] @ self.vectors.T
        for start in range(0, len(found), ROWS):  # in place and few at once, so that what is read stays near
            rows = found[start : start + ROWS]
            rows -= rows.max(axis=1, keepdims=True)
            np.exp(rows, out=rows)
            rows /= rows.sum(axis=1, keepdims=True)
        return {"transformer/next": found}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """Nothing but the probability."""
        return {}


def save(model: Sequential, vocabulary: Vocabulary, settings: RecommenderSettings, encoder: str, folder: Path) -> None:
    """Write safetensors and JSON: weights, sizes, vocabulary, and the encoder whose vectors the model reads."""
    save_file(
        {name: value.contiguous().cpu() for name, value in model.state_dict().items()}, folder / champions.WEIGHTS
    )
    champions.write_json(
        folder / champions.CONFIG,
        {
            "kind": "sequential",
            "text_width": model.text.in_features,
            "vocabulary": vocabulary.ids,
            "encoder": encoder,
            "settings": settings.model_dump(mode="json", exclude={"fresh_share"}),
        },
    )


def load(folder: Path) -> tuple[Sequential, Vocabulary, dict[str, Any]]:
    """A kept model, its vocabulary and configuration."""
    config = champions.config(folder)
    vocabulary = Vocabulary(config["vocabulary"])
    # What an earlier release set beside is left out; what shapes the model has kept its names.
    shape = {name: value for name, value in config["settings"].items() if name in RecommenderSettings.model_fields}
    model = Sequential(len(vocabulary.ids), config["text_width"], RecommenderSettings(**shape))
    model.load_state_dict(load_file(folder / champions.WEIGHTS))
    return model.eval(), vocabulary, config


def grown(champion: Sequential, old: Vocabulary, new: Vocabulary, settings: RecommenderSettings) -> Sequential:
    """The champion with rows for appended ids; their id vectors start at zero, so at first their text speaks."""
    model = Sequential(len(new.ids), champion.text.in_features, settings)
    state = champion.state_dict()
    rows = torch.zeros_like(model.item.weight)
    rows[: len(old.ids) + 1] = state["item.weight"]
    model.load_state_dict({**state, "item.weight": rows})
    return model
