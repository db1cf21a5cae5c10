"""One way to fine-tune: the Hugging Face Trainer with one set of device, precision, seed, resume and stopping rules.

Scales by accelerate/torchrun as the Trainer does. Not here: losses, data and metrics, which belong to the models.
"""

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
    logging,
)
from transformers.trainer import TRAINER_STATE_NAME

from pipeline.record import Recorder
from pipeline.settings import Training

Model = TypeVar("Model", bound=torch.nn.Module)


class Rows(Protocol):
    """A map-style data set."""

    def __len__(self) -> int:
        """How many examples."""

    def __getitem__(self, index: int) -> Any:
        """One example."""


def settle(seed: int, threads: int) -> None:
    """Make compute repeatable: seeds, a fixed number of threads, deterministic kernels."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    threadpool_limits(threads)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing reads what it has not written
    logging.set_verbosity_error()
    logging.disable_progress_bar()


class OneThread:
    """Compute on one thread each, where several work: none waits for others, and any number of them gives the same.

    Blocks of this may end in any order, as generators do; what was allowed before is allowed again after the last one.
    """

    def __init__(self) -> None:
        """Nobody works yet."""
        self._lock, self._inside = Lock(), 0

    def __enter__(self) -> None:
        """Limit torch, in this thread and those that begin later, and the libraries of products."""
        with self._lock:
            if not self._inside:
                self._before = torch.get_num_threads()
                torch.set_num_threads(1)
                self._limits = threadpool_limits(1)
            self._inside += 1

    def __exit__(self, *_error: object) -> None:
        """Give back what was allowed."""
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limits.restore_original_limits()
                torch.set_num_threads(self._before)


one_thread = OneThread()


def device() -> torch.device:
    """The accelerator if there is one, else the CPU."""
    return torch.accelerator.current_accelerator() or torch.device("cpu")


def precision() -> Literal["bf16", "fp16", "fp32"]:
    """What products are computed in: half of 32 bits on accelerators; CPUs emulate it a hundred times slower."""
    if not torch.cuda.is_available():
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


class _Notes(TrainerCallback):
    """Passes the Trainer's logs on to the recorder, and its steps to who follows them."""

    def __init__(
        self,
        recorder: Recorder,
        progress: Callable[[int, int], None] | None,
        after_update: Callable[[int], None] | None,
    ) -> None:
        self.recorder, self.progress, self.after_update = recorder, progress, after_update

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        names = {"loss": "train/loss", "eval_loss": "valid/loss", "learning_rate": "train/learning_rate"}
        values = {names[name]: value for name, value in (logs or {}).items() if name in names}
        if values:
            self.recorder.metrics(values, step=state.global_step)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.after_update:
            self.after_update(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.progress:
            self.progress(state.global_step, state.max_steps)


def fine_tune(
    model: Model,
    train: Rows,
    valid: Rows,
    collate: Callable[[list[Any]], dict[str, Any]],
    *,
    settings: Training,
    warm: bool,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[int, int], None] | None = None,
    after_update: Callable[[int], None] | None = None,
) -> Model:
    """Train until the validation loss stops falling, and return the model at its best evaluation.

    A champion carried on is returned as it came when no step made it better: its version stays.

    A killed run picks up at its last checkpoint when called again with the same folder. Checkpoints there are the
    Trainer's own and are for resuming only; what is kept afterwards is safetensors and JSON.

    Args:
        model: its forward takes the collated batch and returns a mapping with `loss`.
        train: examples to learn from; mappings are batched by the length of their `input_ids`.
        valid: examples to stop by.
        collate: examples to a batch of tensors.
        settings: steps, batch size and rates.
        warm: carrying on from a champion: fewer steps at a lower rate.
        folder: for checkpoints.
        seed: of order and dropout.
        recorder: gets the loss curves.
        progress: called with (step, steps).
        after_update: called with the number of steps before, after each of the optimiser, gradients still there.

    Source: Trainer, https://huggingface.co/docs/transformers/main_classes/trainer
    """
    steps = settings.warm_steps if warm else settings.steps
    every = min(settings.eval_steps, steps)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        lr_scheduler_type="linear",
        warmup_steps=max(1, steps // 10),
        learning_rate=settings.warm_learning_rate if warm else settings.learning_rate,
        weight_decay=0.01,
        train_sampling_strategy="group_by_length" if isinstance(train[0], Mapping) else "random",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        eval_on_start=warm,
        logging_steps=max(1, every // 4),
        report_to="none",
        disable_tqdm=True,
        seed=seed,
        data_seed=seed,
        bf16=precision() == "bf16",
        fp16=precision() == "fp16",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        label_names=[],
        prediction_loss_only=True,
        log_level="error",
        ddp_find_unused_parameters=False,
    )
    recorder.params(
        {
            "training": settings.model_dump(),
            "training.warm": warm,
            "training.seed": seed,
            "training.device": str(device()),
            "training.precision": precision(),
            "torch": torch.__version__,
        }
    )
    trainer = Trainer(
        model,
        arguments,
        data_collator=collate,
        train_dataset=train,
        eval_dataset=valid,
        callbacks=[EarlyStoppingCallback(settings.patience), _Notes(recorder, progress, after_update)],
    )
    trainer.remove_callback(PrinterCallback)
    before = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()} if warm else {}
    pretrained = [part for part in model.modules() if isinstance(part, PreTrainedModel)]
    for part in pretrained if settings.gradient_checkpointing else ():
        part.activation_checkpointing_enable({"use_reentrant": False})
    trainer.train(resume_from_checkpoint=_last_whole(folder))
    for part in pretrained if settings.gradient_checkpointing else ():
        part.activation_checkpointing_disable()
    if warm and trainer.state.best_metric >= _first_loss(trainer.state.log_history):
        model.load_state_dict(before)
    return model.eval()


def _last_whole(folder: Path) -> str | None:
    """The latest checkpoint that was written to its end: its state, which the Trainer writes last, can be read."""
    for path in sorted(folder.glob("checkpoint-*"), key=lambda one: int(one.name.rpartition("-")[2]), reverse=True):
        try:
            TrainerState.load_from_json(str(path / TRAINER_STATE_NAME))
        except (OSError, ValueError):
            continue
        return str(path)
    return None


def _first_loss(history: list[dict[str, float]]) -> float:
    """The validation loss before the first step."""
    return next(entry["eval_loss"] for entry in history if "eval_loss" in entry)
