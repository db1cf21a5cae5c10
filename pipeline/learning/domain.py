"""Masked-language pretraining of an encoder on a shop's own text, before anything is learned of labels.

Some sentence encoders come without the head that guesses masked tokens, so one is made here: its output matrix is the
token embeddings themselves, and its bias begins at how often the shop writes each token. Token embeddings stay as
pretrained, as in all tuning here. Where it pays is measured, not assumed (docs/fine_tuning.md).
Sources: Gururangan et al. 2020, Don't Stop Pretraining, https://arxiv.org/abs/2004.10964; masks, Devlin et al. 2019.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from pipeline.errors import NoData
from pipeline.learning import checkpoints, harness
from pipeline.record import Recorder
from pipeline.settings import Training

MASKED = 0.15  # of the tokens are guessed: of these 8 in 10 are masked, 1 is another token, 1 stays
VALID_SHARE, VALID_MOST = 0.05, 200
LEAST = 40  # texts below which a shop has no language of its own
COPIES = 4  # of each text, masked otherwise: masks are drawn once, so that a run repeats
IGNORED = -100
HEAD = "masked_head.safetensors"


class MaskedModel(torch.nn.Module):
    """An encoder and the head that guesses masked tokens; `forward` is the cross-entropy of the guesses."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """Load a Hugging Face directory in float32; the head's transform begins as what changes nothing."""
        super().__init__()
        self.folder, self.max_tokens = folder, max_tokens
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.body = AutoModel.from_pretrained(
            folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32
        )
        width = self.body.config.hidden_size
        self.transform = torch.nn.Linear(width, width)
        torch.nn.init.eye_(self.transform.weight)
        torch.nn.init.zeros_(self.transform.bias)
        self.norm = torch.nn.LayerNorm(width)
        self.bias = torch.nn.Parameter(torch.zeros(len(self.body.get_input_embeddings().weight)))

    def tune_top(self, layers: int) -> None:
        """Leave the top layers and the head trainable."""
        self.body.requires_grad_(False)
        for layer in self.body.encoder.layer[-layers:]:
            layer.requires_grad_(True)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts, of one too long the first."""
        found = self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens, verbose=False)
        return [list(row) for row in found["input_ids"]]

    def guesses(self, tokens: dict[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        """Score of each token of the vocabulary at some places.

        Args:
            tokens: ids and mask of B texts, L long.
            places: bool [B, L], M of them.

        Returns:
            [M, V], the places in reading order.
        """
        states = self.body(**tokens).last_hidden_state[places]
        turned = self.norm(torch.nn.functional.gelu(self.transform(states)))
        return turned @ self.body.get_input_embeddings().weight.T + self.bias

    def forward(
        self, tokens: dict[str, torch.Tensor], truth: torch.Tensor, return_loss: bool = True
    ) -> dict[str, torch.Tensor]:
        """Cross-entropy of a batch.

        Args:
            tokens: ids, some of them masked, and mask of B texts.
            truth: [B, L] ids where a guess is asked for, IGNORED elsewhere.
            return_loss: read by the Trainer, which then takes the loss in evaluation too.
        """
        places = truth != IGNORED
        return {"loss": torch.nn.functional.cross_entropy(self.guesses(tokens, places), truth[places])}

    def save(self, folder: Path) -> None:
        """Write the encoder as a Hugging Face directory, the head beside it, and the licence of what it came from."""
        self.body.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        head = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        save_file({name: value for name, value in head.items() if not name.startswith("body.")}, folder / HEAD)
        if (self.folder / checkpoints.LICENCE_FILE).exists():
            shutil.copyfile(self.folder / checkpoints.LICENCE_FILE, folder / checkpoints.LICENCE_FILE)


def load(folder: Path, max_tokens: int) -> MaskedModel:
    """What `MaskedModel.save` wrote, head and all."""
    model = MaskedModel(folder, max_tokens)
    model.load_state_dict(load_file(folder / HEAD), strict=False)
    return model.eval()


def masked(
    ids: Sequence[int], special: np.ndarray, mask: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """One text with some tokens hidden.

    Args:
        ids: of the text's tokens.
        special: bool [V], tokens that are never hidden nor put in a place.
        mask: id of the mask.
        rng: decides which.

    Returns:
        Ids [L] as shown, and [L] the true ones where a guess is asked for, IGNORED elsewhere; None for a text without
        a word.
    """
    true = np.asarray(ids)
    words = np.flatnonzero(~special[true])
    if not len(words):
        return None
    asked = rng.permutation(words)[: max(1, round(MASKED * len(words)))]
    shown, truth = true.copy(), np.full(len(true), IGNORED)
    truth[asked] = true[asked]
    how = rng.random(len(asked))
    shown[asked[how < 0.8]] = mask
    other = asked[(how >= 0.8) & (how < 0.9)]
    shown[other] = rng.choice(np.flatnonzero(~special), len(other))
    return shown, truth


def adapt(
    model: MaskedModel,
    texts: Sequence[str],
    rates: Training,
    *,
    trained_layers: int,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[int, int], None] | None = None,
) -> MaskedModel:
    """Pretrain on texts, and return the model at its best loss on those kept back.

    Args:
        model: to tune.
        texts: of the shop, labelled or not, in an order that the night decides.
        rates: steps, batch and rate.
        trained_layers: top layers that are tuned.
        folder: for the Trainer's checkpoints.
        seed: of masks and order.
        recorder: gets the loss curves.
        progress: called with (step, steps).

    Raises:
        NoData: too few texts.
    """
    if len(texts) < LEAST:
        raise NoData(f"{len(texts)} texts: too few to learn a shop's language from")
    rng = np.random.default_rng(seed)
    special = np.zeros(len(model.bias), bool)
    special[[one for one in model.tokenizer.all_special_ids if one < len(special)]] = True
    rows = [row for row in model.ids(texts) if not special[row].all()]
    valid = min(max(1, round(VALID_SHARE * len(rows))), VALID_MOST)
    order = rng.permutation(len(rows))

    def hidden(places: np.ndarray, copies: int) -> list[dict[str, np.ndarray]]:
        found = (masked(rows[place], special, model.tokenizer.mask_token_id, rng) for place in places.repeat(copies))
        return [{"input_ids": one[0], "truth": one[1]} for one in found if one]

    def collate(batch: Sequence[dict[str, np.ndarray]]) -> dict[str, Any]:
        return _batch(batch, model.tokenizer.pad_token_id)

    judged, taught = hidden(order[:valid], 1), hidden(order[valid:], COPIES)
    model.tune_top(trained_layers)
    with torch.no_grad():
        counts = np.bincount(np.concatenate(rows), minlength=len(special)) + 0.1
        model.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
    return harness.fine_tune(
        model,
        taught,
        judged,
        collate,
        settings=rates,
        warm=False,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
    )


def _batch(rows: Sequence[dict[str, np.ndarray]], pad: int) -> dict[str, Any]:
    longest = max(len(row["input_ids"]) for row in rows)
    ids, truth = np.full((len(rows), longest), pad), np.full((len(rows), longest), IGNORED)
    mask = np.zeros((len(rows), longest), np.int64)
    for place, row in enumerate(rows):
        length = len(row["input_ids"])
        ids[place, :length], truth[place, :length], mask[place, :length] = row["input_ids"], row["truth"], 1
    tokens = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
    return {"tokens": tokens, "truth": torch.from_numpy(truth)}
