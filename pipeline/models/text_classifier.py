"""A pretrained encoder that tells classes of texts apart: a linear head over its mean-pooled tokens, tuned together.

The head begins as the logistic regression over the frozen encoder, which is also the baseline that tuning is held to
(Kumar et al. 2022, https://arxiv.org/abs/2202.10054). Token embeddings stay as pretrained: few reviews say little about
rare words, and a wide vocabulary would take most of a step. Layers that stay as pretrained read each text once,
whatever the passes. What is kept is what was tuned; the rest is the checkpoint's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer
from transformers.masking_utils import create_bidirectional_mask

from pipeline.learning import forms, harness, robustness
from pipeline.learning.adapters import RATES, attach, merge
from pipeline.learning.compression import quantise
from pipeline.learning.forms import Form
from pipeline.models.batching import batches, padded
from pipeline.models.encoder import mean, pooled
from pipeline.models.word_counts import linear
from pipeline.record import Recorder
from pipeline.settings import Training

WEIGHTS = "encoder.safetensors"
TAIL = 0.25  # of the tokens of a text too long are its last: opinions stand at both ends (Sun et al. 2019)
DROPOUT = 0.1
EPOCHS, WARM_EPOCHS = 2, 1
LEAST_STEPS, MOST_EPOCHS = 200, 10  # of few texts more passes are made
EFFORT = 20_000_000  # token-layers of a training run at most: about 20 minutes on two cores
FROZEN_PENALTY = 1.0
MOST_TOKENS = 1_000_000  # of which the lower layers' states are held, 0.8 KB each; of more they are read in every pass

Row = dict[str, Any]


class TextClassifier(torch.nn.Module):
    """The encoder, its head, and `forward` as the cross-entropy of a batch."""

    def __init__(self, folder: Path, classes: int, max_tokens: int) -> None:
        """Load a Hugging Face directory in float32, with a head of zeros."""
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.body = AutoModel.from_pretrained(
            folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32, use_safetensors=True
        )
        self.head = torch.nn.Linear(self.body.config.hidden_size, classes)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)
        self.max_tokens = max_tokens
        self.radius = 0.0  # of the step by which training is hardened, as `robustness.hardened` takes it
        self.moved: set[str] = set()  # parameters that a kept model brought: no longer the checkpoint's
        self.take(Form())

    def take(self, form: Form, seed: int = 0) -> None:
        """Bring the encoder as pretrained to a shape, which says what of it is trainable beside the head."""
        self.form, self.tuning = form, form.give(self.body, seed)

    def tune_top(self, layers: int) -> None:
        """Leave the top layers and the head trainable."""
        self.form, self.tuning = replace(self.form, layers=layers), attach(self.body, "full", layers, 0, 0)

    def quantise(self) -> None:
        """Bring the matrices to 8 bits, adapters among them."""
        merge(self.body)
        self.form = Form(layers=self.form.layers, kept=self.form.kept, int8=True)
        quantise(self.body)

    @property
    def trained_layers(self) -> int:
        """How many layers are trainable, in whole or in part."""
        return sum(any(part.requires_grad for part in layer.parameters()) for layer in self.body.encoder.layer)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts; of one too long the first and the last."""
        if not texts:
            return []
        room = self.max_tokens - 2
        tail = int(room * TAIL)
        found = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        kept = [row if len(row) <= room else [*row[: room - tail], *row[-tail:]] for row in found]
        return [[self.tokenizer.cls_token_id, *row, self.tokenizer.sep_token_id] for row in kept]

    @property
    def lower_layers(self) -> int:
        """How many layers stand, untrained, under the first that is trained."""
        trained = [any(one.requires_grad for one in layer.parameters()) for layer in self.body.encoder.layer]
        is_fixed = not any(one.requires_grad for one in self.body.embeddings.parameters())
        return [*trained, True].index(True) if is_fixed else 0

    @torch.inference_mode()
    def lower(self, rows: Sequence[Row], progress: Callable[[int, int], None] | None = None) -> list[Row]:
        """Tokenised texts with `states` of the lower layers, float16 [T, H]; equal texts are read once."""
        device = harness.device()
        self.to(device).eval()
        unlike = list(dict.fromkeys(tuple(row["input_ids"]) for row in rows))
        found: dict[tuple[int, ...], torch.Tensor] = {}
        for places in batches([len(ids) for ids in unlike]):
            tokens = self.padded([unlike[place] for place in places])
            ids, mask = (tokens[name].to(device) for name in ("input_ids", "attention_mask"))
            states = self._through(0, self.lower_layers, self.body.embeddings(input_ids=ids), mask).half().cpu()
            found |= {
                unlike[place]: one[: len(unlike[place])].clone() for place, one in zip(places, states, strict=True)
            }
            if progress:
                progress(len(found), len(unlike))
        return [row | {"states": found[tuple(row["input_ids"])]} for row in rows]

    def _through(self, first: int, last: int, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """States [B, T, H] after some of the layers."""
        seen = create_bidirectional_mask(config=self.body.config, inputs_embeds=states, attention_mask=mask)
        for layer in self.body.encoder.layer[first:last]:
            states = layer(states, seen)
        return states

    def batch(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """Ids, or the lower layers' states, and mask of tokenised texts."""
        tokens = self.padded([row["input_ids"] for row in rows])
        if "states" not in rows[0]:
            return tokens
        states = torch.nn.utils.rnn.pad_sequence([row["states"] for row in rows], batch_first=True)
        return {"states": states.float(), "attention_mask": tokens["attention_mask"]}

    def padded(self, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Ids and mask of tokenised texts, padded to the longest."""
        return padded(rows, self.tokenizer.pad_token_id)

    def forward(
        self, tokens: dict[str, torch.Tensor], truth: torch.Tensor, return_loss: bool = True
    ) -> dict[str, torch.Tensor]:
        """Cross-entropy of a batch.

        Args:
            tokens: what `batch` makes of B texts.
            truth: [B] classes, or [B, C] probabilities of them.
            return_loss: read by the Trainer, which then takes the loss in evaluation too.
        """
        mask, held = tokens["attention_mask"], tokens.get("states")
        first, last = 0 if held is None else self.lower_layers, len(self.body.encoder.layer)
        start = self.body.embeddings(input_ids=tokens["input_ids"]) if held is None else held

        def loss_of(given: torch.Tensor) -> torch.Tensor:
            states = mean(self._through(first, last, given, mask), mask)
            told = self.head(torch.nn.functional.dropout(states, DROPOUT, self.training))
            loss: torch.Tensor = torch.nn.functional.cross_entropy(told, truth)
            return loss

        is_hard = self.training and self.radius
        loss = robustness.hardened(loss_of, start, self.radius) if is_hard else loss_of(start)
        return {"loss": loss + self.tuning.penalty() if self.training else loss}

    @torch.inference_mode()
    def states(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        """Mean-pooled last layer of texts: float32 [N, H]; batched by length, so that little is padded."""
        device = harness.device()
        self.to(device).eval()
        rows, done = self.ids(texts), 0
        out = np.zeros((len(rows), self.body.config.hidden_size), np.float32)
        for places in batches([len(row) for row in rows]):
            tokens = {name: value.to(device) for name, value in self.padded([rows[i] for i in places]).items()}
            out[places] = pooled(self.body, tokens).float().cpu().numpy()
            done += len(places)
            if progress:
                progress(done, len(rows))
        return out

    def head_of(self, states: np.ndarray) -> np.ndarray:
        """Logits of pooled states: float64 [N, C]."""
        weight, bias = (value.detach().cpu().double().numpy() for value in (self.head.weight, self.head.bias))
        return np.asarray(states.astype(np.float64) @ weight.T + bias)

    def logits(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        """Score of each class, higher is likelier: float64 [N, C]."""
        return self.head_of(self.states(texts, progress))

    def fit_head(self, states: np.ndarray, truth: np.ndarray, seed: int) -> None:
        """Make the head a logistic regression over pooled states, in their own scale."""
        mean, deviation = states.mean(0).astype(np.float64), states.std(0).astype(np.float64) + 1e-6
        scaled = (states - mean) / deviation
        weights, bias = linear(scaled, truth, self.head.out_features, "logistic", FROZEN_PENALTY / len(mean), seed)
        weights = weights / deviation[:, None]
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weights.T))
            self.head.bias.copy_(torch.from_numpy(bias - mean @ weights))

    def save(self, folder: Path) -> None:
        """Write what was tuned as safetensors, or in 8 bits all layers, and the shape they are of."""
        tuned = {name for name, one in self.named_parameters() if one.requires_grad or name in self.moved}
        kept = {
            name: value.detach().cpu().contiguous()
            for name, value in self.state_dict().items()
            if name in tuned or (self.form.int8 and name.startswith("body.encoder."))
        }
        save_file(kept, folder / WEIGHTS, self.form.metadata())

    def read(self, folder: Path) -> None:
        """Take over what `save` wrote, in whatever shape."""
        self.take(forms.read(folder / WEIGHTS))
        tuned = load_file(folder / WEIGHTS)
        unknown = self.load_state_dict(tuned, strict=False).unexpected_keys
        if unknown:
            raise ValueError(f"{folder}: weights of another encoder ({unknown[0]})")
        self.moved |= set(tuned)


@dataclass(frozen=True)
class Labelled:
    """Texts and their classes, int [N], or probabilities of them, float32 [N, C]."""

    texts: Sequence[str]
    truth: np.ndarray

    def only(self, places: np.ndarray) -> "Labelled":
        """Some of them."""
        return Labelled([self.texts[place] for place in places], self.truth[places])


def effort(tokens: int, layers: int, trained: int) -> int:
    """Token-layers of a pass: forward through all layers, backward at twice the cost through those that are trained."""
    return tokens * (layers + 2 * trained)


def tune(
    model: TextClassifier,
    fit: Labelled,
    valid: Labelled,
    rates: Training,
    *,
    warm: bool,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[int, int], None] | None = None,
) -> TextClassifier:
    """Tune and return the model at its best validation loss.

    Steps are as many as EPOCHS passes over the texts take, or more passes where that is under LEAST_STEPS, as EFFORT
    allows, and as `rates` says at most.
    """

    def rows(part: Labelled) -> list[Row]:
        return [
            {"input_ids": ids, "truth": truth} for ids, truth in zip(model.ids(part.texts), part.truth, strict=True)
        ]

    def collate(batch: Sequence[Row]) -> dict[str, Any]:
        return {"tokens": model.batch(batch), "truth": torch.from_numpy(np.stack([row["truth"] for row in batch]))}

    examples, judged = rows(fit), rows(valid)
    tokens, layers, lower = sum(len(row["input_ids"]) for row in examples), len(model.body.encoder.layer), 0
    if tokens <= MOST_TOKENS and model.lower_layers:
        lower = model.lower_layers
        held = model.lower(examples + judged)
        examples, judged = held[: len(examples)], held[len(examples) :]
    steps = -(-len(examples) // rates.batch_size)
    wanted = WARM_EPOCHS if warm else min(max(EPOCHS, LEAST_STEPS / steps), MOST_EPOCHS)
    one_pass = effort(tokens, layers - lower, model.trained_layers) * (2 if model.radius else 1)
    passes = min(wanted, (EFFORT - tokens * lower) / max(one_pass, 1))
    total = max(1, min(int(steps * passes), rates.warm_steps if warm else rates.steps))
    faster = RATES[model.form.method]
    plan = rates.model_copy(
        update={
            "steps": total,
            "warm_steps": total,
            "eval_steps": min(total, -(-steps // 2)),
            "learning_rate": rates.learning_rate * faster,
            "warm_learning_rate": rates.warm_learning_rate * faster,
        }
    )
    model.tuning.begin(total)
    return harness.fine_tune(
        model,
        examples,
        judged,
        collate,
        settings=plan,
        warm=warm,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
        after_update=model.tuning.after_update,
    )
