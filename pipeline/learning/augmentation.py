"""Texts said otherwise, so that few labels teach more: words replaced by their like, or there and back by translation.

A label may not survive it ("good" and "bad" lie close in any encoder): what it buys is measured in docs/fine_tuning.md,
and it is off unless a shop asks for it.
Sources: Kobayashi 2018, Contextual Augmentation, https://arxiv.org/abs/1805.06201; back-translation, Sennrich et al.
2016, https://arxiv.org/abs/1511.06709.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.learning import harness
from pipeline.learning.domain import MaskedModel

SHARE = 0.15  # of a text's words are replaced, one at least
CHOICES = 4  # likest words among which one is drawn
BATCH = 64
SPACE = "▁"  # before a word, in vocabularies of pieces


@dataclass(frozen=True)
class Chosen:
    """Which words of a text are replaced: its token ids, and their places among them."""

    ids: np.ndarray
    places: np.ndarray


def whole_words(tokenizer: Any, size: int) -> np.ndarray:
    """Tokens that are a word of letters on their own: bool [V]."""
    tokens = tokenizer.convert_ids_to_tokens(range(min(size, len(tokenizer))))
    pieces = any(token.startswith(SPACE) for token in tokens)
    words = [token.removeprefix(SPACE) if token.startswith(SPACE) or not pieces else "" for token in tokens]
    found = np.zeros(size, bool)
    found[: len(words)] = [word.isalpha() and len(word) > (2 if word.isascii() else 0) for word in words]
    found[[one for one in tokenizer.all_special_ids if one < size]] = False
    return found


def choose(texts: Sequence[str], tokenizer: Any, words: np.ndarray, max_tokens: int, seed: int) -> list[Chosen]:
    """Draw the words to be replaced, among those that are one token.

    Args:
        texts: to be said otherwise.
        tokenizer: of the encoder.
        words: bool [V] from `whole_words`.
        max_tokens: of a text; the rest is cut.
        seed: of the drawing.
    """
    rng, found = np.random.default_rng(seed), []
    encoded = tokenizer(list(texts), truncation=True, max_length=max_tokens, verbose=False)
    for place, row in enumerate(encoded["input_ids"]):
        ids, named = np.asarray(row), encoded.word_ids(place)
        alone = [named.count(name) == 1 if name is not None else False for name in named]
        able = np.flatnonzero(words[ids] & np.array(alone))
        count = min(len(able), max(1, round(SHARE * len(able))))
        found.append(Chosen(ids, np.sort(rng.permutation(able)[:count])))
    return found


def synonyms(texts: Sequence[str], model: MaskedModel, seed: int) -> list[str]:
    """Each text with some words replaced by their nearest in the encoder's own token embeddings."""
    table = model.body.get_input_embeddings().weight.detach()
    unit = torch.nn.functional.normalize(table, dim=-1)

    def like(asked: Sequence[Chosen]) -> torch.Tensor:
        ids = torch.from_numpy(np.concatenate([one.ids[one.places] for one in asked]))
        distinct, back = torch.unique(ids, return_inverse=True)
        return (unit[distinct] @ unit.T)[back]

    return _replaced(texts, model, like, seed)


def contextual(texts: Sequence[str], model: MaskedModel, seed: int) -> list[str]:
    """Each text with some words masked and guessed anew by the encoder; its head must have been taught (`domain`)."""

    def guessed(asked: Sequence[Chosen]) -> torch.Tensor:
        longest, mask_id = max(len(one.ids) for one in asked), model.tokenizer.mask_token_id
        ids = torch.full((len(asked), longest), model.tokenizer.pad_token_id)
        mask, places = torch.zeros_like(ids), torch.zeros(ids.shape, dtype=torch.bool)
        for row, one in enumerate(asked):
            ids[row, : len(one.ids)] = torch.from_numpy(one.ids)
            mask[row, : len(one.ids)] = 1
            places[row, one.places] = True
        ids[places] = mask_id
        device = harness.device()
        tokens = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        return model.to(device).eval().guesses(tokens, places.to(device)).cpu()

    return _replaced(texts, model, guessed, seed)


@torch.inference_mode()
def _replaced(
    texts: Sequence[str], model: MaskedModel, scored: Callable[[Sequence[Chosen]], torch.Tensor], seed: int
) -> list[str]:
    """Draw for each chosen word one of the CHOICES whole words of the highest score, itself left out."""
    words = whole_words(model.tokenizer, len(model.bias))
    refused, rng = torch.from_numpy(~words), np.random.default_rng(seed)
    chosen = choose(texts, model.tokenizer, words, model.max_tokens, seed)
    out = list(texts)
    able = [place for place, one in enumerate(chosen) if len(one.places)]
    for start in range(0, len(able), BATCH):
        rows = able[start : start + BATCH]
        asked = [chosen[row] for row in rows]
        scores = scored(asked).masked_fill(refused, -torch.inf)
        true = torch.from_numpy(np.concatenate([one.ids[one.places] for one in asked]))
        scores[torch.arange(len(true)), true] = -torch.inf
        best = scores.topk(CHOICES, dim=1).indices.numpy()
        drawn = iter(best[np.arange(len(best)), rng.integers(CHOICES, size=len(best))])
        for row, one in zip(rows, asked, strict=True):
            ids = one.ids.copy()
            ids[one.places] = [next(drawn) for _ in one.places]
            out[row] = model.tokenizer.decode(ids, skip_special_tokens=True)
    return out


@torch.inference_mode()
def back_translated(texts: Sequence[str], there: Path, back: Path, max_tokens: int) -> list[str]:
    """Each text translated and translated back.

    Args:
        texts: to be said otherwise.
        there: Hugging Face directory of a translator to another language, resolved by `checkpoints`.
        back: of one from it.
        max_tokens: of a translation.
    """
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    told, device = list(texts), harness.device()
    for folder in (there, back):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True).to(device).eval()
        for start in range(0, len(told), BATCH):
            some = told[start : start + BATCH]
            asked = tokenizer(some, padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
            asked = {name: asked[name].to(device) for name in ("input_ids", "attention_mask")}
            given = model.generate(**asked, max_new_tokens=max_tokens, do_sample=False, num_beams=1)
            told[start : start + BATCH] = tokenizer.batch_decode(given, skip_special_tokens=True)
    return told
