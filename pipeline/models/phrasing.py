"""A small pretrained language model that says a sentence in other words, as the shop's pairs of both teach it.

It reads and writes frames: sentences in which a bracketed letter stands for every fact, so no value, name or word of a
user's ever reaches it, and what it writes can hold none. Kept are its low-rank adapters and the book: what it
writes for each frame that the chat can say. Not here: frames and their facts (`answering.rewording`).
Sources: SmolLM2, Ben Allal et al. 2025, https://arxiv.org/abs/2502.02737; LoRA, Hu et al. 2021,
https://arxiv.org/abs/2106.09685; delexicalised generation, Wen et al. 2015, https://arxiv.org/abs/1508.01745.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.learning import champions, checkpoints, harness
from pipeline.learning.adapters import NAME as ADAPTER
from pipeline.record import Recorder
from pipeline.settings import Training

NAME = "phrasing"
BOOK = "book.json"
ASK = "<|im_start|>user\nSay in other words: {}<|im_end|>\n<|im_start|>assistant\n"
END = "<|im_end|>"
ROOM = 12  # tokens that a wording may be longer than its frame
IGNORED = -100  # what the loss leaves out
RATES = Training(  # the budget: half a dozen passes over the pairs, about four minutes of one core
    method="lora",
    rank=8,
    steps=48,
    warm_steps=1,
    batch_size=8,
    learning_rate=1e-3,
    warm_learning_rate=1e-4,
    eval_steps=12,
    patience=2,
)

Pair = tuple[str, str]
Row = dict[str, Any]


class Phraser(torch.nn.Module):
    """The model with low-rank adapters in every linear layer, and `forward` as the loss of a batch's wordings."""

    def __init__(self, folder: Path, rank: int, seed: int = 0) -> None:
        """Load a Hugging Face directory in float32 and set new adapters into it."""
        from peft import LoraConfig
        from peft.tuners import LoraModel

        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.body = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, use_safetensors=True
        )
        self.body.requires_grad_(False)
        self.rank = rank
        head = self.body.get_output_embeddings()
        layers = [n for n, part in self.body.named_modules() if isinstance(part, torch.nn.Linear) and part is not head]
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            LoraModel(self.body, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=layers), ADAPTER)

    def state_dict(self, *args: Any, **named: Any) -> dict[str, torch.Tensor]:
        """What is tuned: the rest is the checkpoint's."""
        return {name: value for name, value in super().state_dict(*args, **named).items() if "lora_" in name}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take what is tuned; that the checkpoint's own weights are not there is as it should be."""
        found = super().load_state_dict(state_dict, strict=False, assign=assign)
        found.missing_keys[:] = [name for name in found.missing_keys if "lora_" in name]
        return found

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor, return_loss: bool = True
    ) -> Mapping[str, torch.Tensor]:
        """Cross-entropy of the wordings' tokens; `return_loss` tells the Trainer that this computes one."""
        return {"loss": self.body(input_ids, attention_mask=attention_mask, labels=labels, use_cache=False).loss}

    def row(self, pair: Pair) -> Row:
        """A frame and a wording as token ids, and as labels those of the wording."""
        asked, said = (
            self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (ASK.format(pair[0]), pair[1] + END)
        )
        return {"input_ids": asked + said, "labels": [IGNORED] * len(asked) + said}

    def batch(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """Rows of one length."""
        longest = max(len(row["input_ids"]) for row in rows)
        filled = {"input_ids": self.tokenizer.pad_token_id or 0, "labels": IGNORED}
        out = {
            name: torch.tensor([row[name] + [one] * (longest - len(row[name])) for row in rows])
            for name, one in filled.items()
        }
        out["attention_mask"] = torch.tensor(
            [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
        )
        return out

    @torch.inference_mode()
    def write(self, frame: str) -> str:
        """The likeliest wording of a frame, token by token; the same every time."""
        asked = self.tokenizer(ASK.format(frame), add_special_tokens=False, return_tensors="pt").to(self.body.device)
        most = len(self.tokenizer(frame)["input_ids"]) + ROOM
        stop = self.tokenizer.convert_tokens_to_ids(END)
        told = self.body.generate(
            **asked, max_new_tokens=most, do_sample=False, eos_token_id=stop, pad_token_id=stop, use_cache=True
        )
        said: str = self.tokenizer.decode(told[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
        return " ".join(said.split())

    def save(self, folder: Path, checkpoint: str, lessons: str, book: Mapping[str, str]) -> None:
        """Write safetensors and JSON.

        Args:
            folder: an empty one.
            checkpoint: reference of what the adapters sit in.
            lessons: hash of what was taught.
            book: wordings by frame.
        """
        tuned = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        save_file(tuned, folder / champions.WEIGHTS)
        champions.write_json(folder / BOOK, book)
        facts = {"kind": NAME, "checkpoint": checkpoint, "rank": self.rank, "lessons": lessons}
        champions.write_json(folder / champions.CONFIG, facts)


def load(folder: Path, home: Path) -> Phraser:
    """What `Phraser.save` wrote, over the checkpoint it names."""
    config = champions.config(folder)
    model = Phraser(checkpoints.resolve(config["checkpoint"], home), config["rank"])
    model.load_state_dict(load_file(folder / champions.WEIGHTS))
    return model.eval()


def learn(
    taught: Sequence[Pair],
    valid: Sequence[Pair],
    folder: Path,
    rates: Training,
    *,
    work: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[int, int], None],
) -> Phraser:
    """Tune adapters on pairs of a frame and a wording, until frames that were not taught are worded no better.

    Args:
        taught: pairs.
        valid: pairs of other frames.
        folder: of the checkpoint.
        rates: the budget.
        work: for the Trainer's checkpoints.
        seed: of all drawing.
        recorder: gets the loss curves.
        progress: called as (done, total).
    """
    model = Phraser(folder, rates.rank, seed)
    return harness.fine_tune(
        model,
        [model.row(pair) for pair in taught],
        [model.row(pair) for pair in valid],
        model.batch,
        settings=rates,
        warm=False,
        folder=work,
        seed=seed,
        recorder=recorder,
        progress=progress,
    )
