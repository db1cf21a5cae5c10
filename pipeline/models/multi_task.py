"""One encoder with a head for each of several tasks, tuned on all at once; with one task it is that task's own model.

A task tells classes (sentiment, stars, whether a contact is responded to) or which text belongs to which (a user's
history and the next item). Losses are in units of what chance loses, so that no task drowns another. Not here: where
the texts of a task come from. Whether it pays is measured in docs/fine_tuning.md; no night uses it by itself.
Sources: Caruana 1997; Liu et al. 2019, MT-DNN, https://arxiv.org/abs/1901.11504; pairs as in `models.encoder`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from pipeline.learning import champions, harness
from pipeline.models.encoder import TEMPERATURE, pooled
from pipeline.models.text_classifier import DROPOUT, TextClassifier
from pipeline.record import Recorder
from pipeline.settings import Training

PAIRS = 0  # classes of a task that tells which text belongs to which


@dataclass(frozen=True)
class Lesson:
    """What teaches a task.

    Attributes:
        texts: to read.
        truth: int [N] classes; empty for pairs.
        partners: the text that belongs to each; empty for classes.
    """

    texts: Sequence[str]
    truth: np.ndarray
    partners: Sequence[str] = ()


class MultiTask(torch.nn.Module):
    """The encoder and its heads; `forward` is the mean loss of a batch in units of chance's."""

    def __init__(self, folder: Path, tasks: Mapping[str, int], max_tokens: int) -> None:
        """Load a Hugging Face directory; `tasks` says how many classes each tells, PAIRS for pairs."""
        super().__init__()
        self.reader = TextClassifier(folder, 1, max_tokens)
        self.tasks, width = dict(tasks), self.reader.body.config.hidden_size
        self.heads = torch.nn.ModuleDict(
            {name: torch.nn.Linear(width, classes) for name, classes in tasks.items() if classes != PAIRS}
        )
        for head in self.heads.values():
            torch.nn.init.zeros_(head.weight)
            torch.nn.init.zeros_(head.bias)

    def forward(self, batch: Mapping[str, Any], return_loss: bool = True) -> dict[str, torch.Tensor]:
        """Loss of a batch.

        Args:
            batch: by task, ids and mask of its texts, and `truth` [B], or `partners`, ids and mask of theirs.
            return_loss: read by the Trainer, which then takes the loss in evaluation too.
        """
        losses, rows = [], 0
        for name, part in batch.items():
            size = len(part["tokens"]["input_ids"])
            losses.append(size * self._loss(name, part))
            rows += size
        return {"loss": torch.stack(losses).sum() / rows}

    def _loss(self, name: str, part: Mapping[str, Any]) -> torch.Tensor:
        states = pooled(self.reader.body, part["tokens"])
        if self.tasks[name] != PAIRS:
            read = torch.nn.functional.dropout(states, DROPOUT, self.training)
            return torch.nn.functional.cross_entropy(self.heads[name](read), part["truth"]) / log(self.tasks[name])
        others = torch.nn.functional.normalize(pooled(self.reader.body, part["partners"]), dim=-1)
        scores = torch.nn.functional.normalize(states, dim=-1) @ others.T / TEMPERATURE
        same = part["same"].to(scores.device)  # equal texts are no negatives of one another
        own = torch.arange(len(scores), device=scores.device)
        return torch.nn.functional.cross_entropy(scores.masked_fill(same, -1e4), own) / log(max(len(scores), 2))

    def logits(self, task: str, texts: Sequence[str]) -> np.ndarray:
        """Scores of the classes of a task: float64 [N, C]."""
        head = self.heads[task]
        weight, bias = (value.detach().cpu().double().numpy() for value in (head.weight, head.bias))
        return np.asarray(self.reader.states(texts).astype(np.float64) @ weight.T + bias)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of texts, by which pairs are told: float32 [N, H]."""
        states = self.reader.states(texts)
        return np.asarray(states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12))

    def save(self, folder: Path) -> None:
        """Write what was tuned and the heads as safetensors, and the tasks as JSON."""
        self.reader.save(folder)
        heads = {name: value.detach().cpu().contiguous() for name, value in self.heads.state_dict().items()}
        save_file(heads, folder / "heads.safetensors")
        champions.write_json(
            folder / champions.CONFIG,
            {"kind": "multi_task", "tasks": self.tasks, "max_tokens": self.reader.max_tokens},
        )


def load(folder: Path, checkpoint: Path) -> MultiTask:
    """What `MultiTask.save` wrote, over the checkpoint it began from."""
    config = champions.config(folder)
    model = MultiTask(checkpoint, config["tasks"], config["max_tokens"])
    model.reader.read(folder)
    model.heads.load_state_dict(load_file(folder / "heads.safetensors"))
    return model.eval()


def collate(model: MultiTask, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows of several tasks to the batch of each, a task that has none left out."""
    batch: dict[str, Any] = {}
    for name, classes in model.tasks.items():
        mine = [row for row in rows if row["task"] == name]
        if not mine:
            continue
        part: dict[str, Any] = {"tokens": model.reader.padded([row["input_ids"] for row in mine])}
        if classes == PAIRS:
            part["partners"] = model.reader.padded([row["partner"] for row in mine])
            told = [tuple(row["partner"]) for row in mine]
            same = [[one == other and place != beside for beside, other in enumerate(told)]
                    for place, one in enumerate(told)]  # fmt: skip
            part["same"] = torch.tensor(same)
        else:
            part["truth"] = torch.tensor([row["truth"] for row in mine])
        batch[name] = part
    return {"batch": batch}


def train(
    model: MultiTask,
    fit: Mapping[str, Lesson],
    valid: Mapping[str, Lesson],
    rates: Training,
    *,
    layers: int,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[int, int], None] | None = None,
) -> MultiTask:
    """Tune on all tasks at once and return the model at its best validation loss.

    Args:
        model: to tune.
        fit: what teaches each task; the heads begin as regressions over the frozen encoder.
        valid: what to stop by.
        rates: steps and rates.
        layers: from the top, that are tuned.
        folder: for the Trainer's checkpoints.
        seed: of order and dropout.
        recorder: gets the loss curves.
        progress: called with (step, steps).
    """

    def rows(parts: Mapping[str, Lesson]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name, part in parts.items():
            partners: list[Any] = list(model.reader.ids(part.partners)) or [None] * len(part.texts)
            truth = part.truth if len(part.truth) else np.zeros(len(part.texts), np.int64)
            found += [
                {"task": name, "input_ids": ids, "partner": partner, "truth": int(one)}
                for ids, partner, one in zip(model.reader.ids(part.texts), partners, truth, strict=True)
            ]
        return found

    for name, classes in model.tasks.items():
        if classes != PAIRS:
            _begin(model, name, fit[name], seed)
    model.reader.tune_top(layers)
    return harness.fine_tune(
        model,
        rows(fit),
        rows(valid),
        lambda batch: collate(model, batch),
        settings=rates,
        warm=False,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
    )


def _begin(model: MultiTask, name: str, lesson: Lesson, seed: int) -> None:
    """Make a head the logistic regression over the frozen encoder."""
    model.reader.head = torch.nn.Linear(model.reader.head.in_features, model.tasks[name])
    model.reader.fit_head(model.reader.states(lesson.texts), lesson.truth, seed)
    model.heads[name].load_state_dict(model.reader.head.state_dict())
    model.reader.head.requires_grad_(False)
