"""A student: fewer layers that begin as the teacher's own, taught by it, kept and read back like any other."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from pipeline.learning import compression
from pipeline.learning.forms import Form
from pipeline.models import students, text_classifier
from pipeline.models.text_classifier import Labelled, TextClassifier
from pipeline.record import JsonRecorder
from pipeline.settings import Training

TEXTS = [f"{word} tea {n}" for n in range(16) for word in ("good", "bad")]
PART = Labelled(TEXTS, np.tile([1, 0], 16))
RATES = Training(
    steps=24, warm_steps=2, batch_size=8, learning_rate=3e-3, warm_learning_rate=1e-3, eval_steps=6, patience=5
)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_student_of_half_the_layers_learns_what_its_teacher_says(method, tiny_bert, tmp_path, monkeypatch):
    torch.manual_seed(0)
    teacher, how = TextClassifier(tiny_bert, 2, 12), {"seed": 0, "recorder": JsonRecorder(tmp_path / "notes")}
    teacher.take(Form(method, 2, 4))
    text_classifier.tune(teacher, PART, PART, RATES, warm=False, folder=tmp_path / "teacher", **how)
    begun = []
    tune = text_classifier.tune
    monkeypatch.setattr(
        text_classifier, "tune", lambda model, *given, **named: begun.append((model.logits(TEXTS), given[0]))
        or tune(model, *given, **named),
    )  # fmt: skip
    student = students.distil(
        teacher, PART, PART, RATES, depth=1, checkpoint=tiny_bert, folder=tmp_path / "student", **how
    )
    ((first, lesson),) = begun
    assert lesson.truth.shape == (32, 2)
    assert len(student.body.encoder.layer) == student.trained_layers == 1
    assert np.allclose(lesson.truth, compression.lesson(teacher.logits(TEXTS), PART.truth))
    learned, before = (
        -(lesson.truth * log_softmax(logits, axis=1)).sum(1).mean() for logits in (student.logits(TEXTS), first)
    )
    assert learned < before
    kept = tmp_path / "kept"
    kept.mkdir()
    student.save(kept)
    again = TextClassifier(tiny_bert, 2, 12)
    again.read(kept)
    assert np.array_equal(again.logits(TEXTS), student.logits(TEXTS))
