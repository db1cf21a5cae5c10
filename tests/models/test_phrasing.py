"""The small language model: only adapters are tuned and kept, and it writes the same twice."""

import pytest
import torch

from pipeline.learning import champions
from pipeline.models import phrasing
from pipeline.models.phrasing import BOOK, IGNORED, Phraser
from pipeline.record import JsonRecorder, read_notes
from pipeline.settings import Training

PAIRS = [("[X] costs [Y].", "For [X] you pay [Y]."), ("[X] is in stock.", "Yes, [X] is in stock.")]
RATES = Training(
    method="lora", rank=4, steps=12, warm_steps=1, batch_size=2, learning_rate=3e-2, warm_learning_rate=1e-3,
    eval_steps=6, patience=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tiny_llama, tmp_path_factory):
    work = tmp_path_factory.mktemp("phrasing")
    recorder = JsonRecorder(work / "record")
    model = phrasing.learn(
        PAIRS, PAIRS, tiny_llama, RATES, work=work / "work", seed=7, recorder=recorder, progress=lambda *_: None
    )
    losses = [note["values"]["valid/loss"] for note in read_notes(work / "record") if "valid/loss" in note["values"]]
    return model, losses


def test_wordings_are_learned_and_the_checkpoint_stays(tuned, tiny_llama):
    model, losses = tuned
    fresh = Phraser(tiny_llama, 4, seed=7)
    assert losses[-1] < losses[0]
    assert all("lora_" in name for name in model.state_dict())
    ours, theirs = dict(model.named_parameters()), dict(fresh.named_parameters())
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if "lora_" not in name)
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours if "lora_" in name)


def test_only_the_wording_is_learned_and_padding_is_not(tiny_llama):
    model = Phraser(tiny_llama, 4)
    rows = [model.row(pair) for pair in PAIRS]
    batch = model.batch(rows)
    said = [[one for one in row["labels"] if one != IGNORED] for row in rows]
    assert [model.tokenizer.decode(one) for one in said] == [f"{pair[1]}<|im_end|>" for pair in PAIRS]
    assert batch["attention_mask"].sum(1).tolist() == [len(row["input_ids"]) for row in rows]
    assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()
    alone = [model(**model.batch([row]))["loss"].item() * len(one) for row, one in zip(rows, said, strict=True)]
    assert model(**batch)["loss"].item() == pytest.approx(sum(alone) / sum(map(len, said)), rel=1e-4)


def test_what_is_kept_writes_the_same_and_never_endlessly(tuned, tiny_llama, tmp_path):
    model, _ = tuned
    said = model.write(PAIRS[0][0])
    model.save(tmp_path, f"path:{tiny_llama}", "hash", {PAIRS[0][0]: said})
    again = phrasing.load(tmp_path, tmp_path / "home")
    assert said == again.write(PAIRS[0][0]) == model.write(PAIRS[0][0])
    assert len(said.encode()) <= len(PAIRS[0][0]) + phrasing.ROOM
    assert champions.read_json(tmp_path / BOOK) == {PAIRS[0][0]: said}
    assert champions.content_hash(tmp_path)
