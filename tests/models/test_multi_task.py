"""One encoder, several heads: the loss against plain sums, learning all tasks at once, and what is kept."""

import math

import numpy as np
import pytest
import torch

from pipeline.models import multi_task
from pipeline.models.multi_task import PAIRS, Lesson, MultiTask
from pipeline.record import JsonRecorder
from pipeline.settings import Training

TASKS = {"sentiment": 2, "stars": 3, "next_item": PAIRS}
NONE = np.zeros(0, np.int64)
RATES = Training(
    steps=60, warm_steps=2, batch_size=12, learning_rate=5e-3, warm_learning_rate=1e-3, eval_steps=15, patience=9
)


def lessons():
    words = ["good", "fine", "bad"]
    texts = [f"a {words[n % 3]} tea" for n in range(24)]
    goods = ["green tea", "black coffee", "milk"]
    return {
        "sentiment": Lesson(texts, np.array([n % 3 < 2 for n in range(24)], int)),
        "stars": Lesson(texts, np.arange(24) % 3),
        "next_item": Lesson([f"bought {goods[n % 3]}" for n in range(24)], NONE, [goods[n % 3] for n in range(24)]),
    }


@pytest.fixture
def model(tiny_bert):
    torch.manual_seed(0)
    return MultiTask(tiny_bert, TASKS, 12)


def row(model, task, text, truth=0, partner=None):
    ids = model.reader.ids([text])[0]
    return {"task": task, "input_ids": ids, "truth": truth, "partner": partner and model.reader.ids([partner])[0]}


def test_the_loss_is_the_mean_over_rows_in_units_of_chances(model):
    for head in model.heads.values():
        torch.nn.init.normal_(head.weight)
    rows = [row(model, "sentiment", "good tea", 1), row(model, "stars", "bad tea", 2), row(model, "stars", "tea", 0)]
    loss = model.eval()(**multi_task.collate(model, rows))["loss"].item()
    each = []
    for task, text, truth in (("sentiment", "good tea", 1), ("stars", "bad tea", 2), ("stars", "tea", 0)):
        logits = model.logits(task, [text])[0]
        each.append((np.log(np.exp(logits).sum()) - logits[truth]) / math.log(len(logits)))
    assert loss == pytest.approx(np.mean(each), abs=1e-4)


def test_equal_partners_are_no_negatives_of_one_another(model):
    rows = [row(model, "next_item", text, partner=item) for text, item in (("a", "tea"), ("b", "tea"), ("c", "milk"))]
    batch = multi_task.collate(model, rows)
    assert batch["batch"]["next_item"]["same"].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    loss = model.eval()(**batch)["loss"].item()
    left, right = model.vectors(["a", "b", "c"]), model.vectors(["tea", "tea", "milk"])
    scores = left @ right.T / multi_task.TEMPERATURE
    each = [
        np.log(np.exp(scores[0][[0, 2]]).sum()) - scores[0][0],
        np.log(np.exp(scores[1][[1, 2]]).sum()) - scores[1][1],
    ]
    each.append(np.log(np.exp(scores[2]).sum()) - scores[2][2])
    assert loss == pytest.approx(np.mean(each) / math.log(3), abs=1e-3)


def test_all_tasks_are_learned_at_once_and_kept(model, tiny_bert, tmp_path):
    parts = lessons()
    multi_task.train(
        model, parts, parts, RATES, layers=2, folder=tmp_path / "run", seed=0, recorder=JsonRecorder(tmp_path / "notes")
    )
    for task in ("sentiment", "stars"):
        assert (model.logits(task, parts[task].texts).argmax(1) == parts[task].truth).mean() > 0.9
    asked, items = ["bought green tea", "bought black coffee", "bought milk"], ["green tea", "black coffee", "milk"]
    assert ((model.vectors(asked) @ model.vectors(items).T).argmax(1) == np.arange(3)).all()
    kept = tmp_path / "kept"
    kept.mkdir()
    model.save(kept)
    again = multi_task.load(kept, tiny_bert)
    assert again.tasks == TASKS
    assert np.array_equal(again.logits("stars", asked), model.logits("stars", asked))
    assert np.array_equal(again.vectors(asked), model.vectors(asked))
