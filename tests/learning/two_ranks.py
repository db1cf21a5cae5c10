"""One of several processes that fine-tune a tiny model together; run by torchrun: `two_ranks.py FOLDER`."""

import json
import os
import sys
import warnings
from pathlib import Path

import torch
import transformers

from pipeline.learning import harness
from pipeline.record import JsonRecorder
from pipeline.settings import Training


class Line(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor, y: torch.Tensor, return_loss: bool = True) -> dict[str, torch.Tensor]:
        return {"loss": ((self.linear(x)[:, 0] - y) ** 2).mean()}


def collate(rows: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    both = torch.stack(rows)
    return {"x": both, "y": both @ torch.tensor([2.0, -1.0])}


def train(folder: Path, name: str, batch: int) -> list[float]:
    """Fine-tune, and give the weights; `batch` is what each process reads in a step."""
    harness.settle(3, 1)
    rows = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    model = harness.fine_tune(
        Line(),
        rows,
        rows[:16],
        collate,
        settings=Training(
            steps=120,
            warm_steps=2,
            batch_size=batch,
            learning_rate=0.1,
            warm_learning_rate=0.1,
            eval_steps=40,
            patience=3,
        ),
        warm=False,
        folder=folder / "checkpoints",
        seed=3,
        recorder=JsonRecorder(folder / name),
    )
    weights: list[float] = model.linear.weight[0].tolist()
    return weights


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    folder, rank = Path(sys.argv[1]), os.environ["RANK"]
    found = {"ranks": os.environ["WORLD_SIZE"], "weight": train(folder, f"rank{rank}", 4)}
    (folder / f"rank{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()
