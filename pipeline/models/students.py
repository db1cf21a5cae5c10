"""A classifier with fewer layers that a tuned one teaches: the same encoder, every other layer or so of it.

The student begins with the teacher's own layers and head; it learns the teacher's opinions and the labels by halves.
Source: Sanh et al. 2019, DistilBERT, https://arxiv.org/abs/1910.01108.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.learning import adapters, compression
from pipeline.learning.forms import Form
from pipeline.models import text_classifier
from pipeline.models.text_classifier import Labelled, TextClassifier
from pipeline.record import Recorder
from pipeline.settings import Training


def distil(
    teacher: TextClassifier,
    fit: Labelled,
    valid: Labelled,
    rates: Training,
    *,
    depth: int,
    checkpoint: Path,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[int, int], None] | None = None,
) -> TextClassifier:
    """Teach a student and return it at its best loss on texts that chose the teacher, too.

    Args:
        teacher: tuned; low-rank adapters in it are merged.
        fit: texts to learn from, labelled.
        valid: texts to stop by.
        rates: steps and rates.
        depth: layers of the student.
        checkpoint: folder that the teacher began from.
        folder: for the Trainer's checkpoints.
        seed: of order and dropout.
        recorder: gets the loss curves.
        progress: called with (step, steps).
    """
    adapters.merge(teacher.body)
    kept = tuple(compression.spread(len(teacher.body.encoder.layer), depth))
    student = TextClassifier(checkpoint, teacher.head.out_features, teacher.max_tokens)
    student.take(Form(layers=depth, kept=kept))
    for place, layer in zip(kept, student.body.encoder.layer, strict=True):
        layer.load_state_dict(teacher.body.encoder.layer[place].state_dict())
    student.head.load_state_dict(teacher.head.state_dict())
    told = Labelled(fit.texts, compression.lesson(teacher.logits(fit.texts), np.asarray(fit.truth)))
    return text_classifier.tune(
        student,
        told,
        valid,
        rates,
        warm=False,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
    )
