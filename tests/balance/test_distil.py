"""Distillation moves idle users towards last night's champion, and nobody else."""

import numpy as np
import pytest

from pipeline.balance.distil import distil
from pipeline.balance.surfaces import Ranked
from pipeline.metrics.stability import rbo
from tests.balance.cases import ranked


def test_only_idle_users_hear_the_champion() -> None:
    tonight = Ranked(np.array([[1, 2], [1, 2]]), np.array([[2.0, 1.0], [2.0, 1.0]]))
    champion = Ranked(np.array([[2, 3], [2, 3]]), np.array([[4.0, 0.0], [4.0, 0.0]]))
    mixed = distil(tonight, champion, np.array([True, False]), 0.5)
    assert mixed.items.tolist() == [[2, 1], [1, 2]]
    assert mixed.scores.tolist() == [[2.5, 1.0], [2.0, 1.0]]


def test_a_heavier_champion_brings_lists_nearer_to_its_own() -> None:
    rng = np.random.default_rng(3)
    tonight, champion = (Ranked(*ranked(rng, 400, 12, 20, ties=False)) for _ in range(2))
    idle = np.ones(400, bool)
    overlap = [rbo(distil(tonight, champion, idle, weight).items, champion.items).mean() for weight in (0, 0.3, 0.7, 1)]
    assert overlap == sorted(overlap) and overlap[0] < 0.7 < 0.9 < overlap[-1]


def test_no_weight_changes_nothing_and_a_model_agrees_with_itself() -> None:
    one = Ranked(*ranked(np.random.default_rng(4), 30, 6, 9, ties=False))
    other = Ranked(*ranked(np.random.default_rng(5), 30, 6, 9, ties=False))
    idle = np.ones(30, bool)
    assert (distil(one, other, idle, 0.0).items == one.items).all()
    same = distil(one, one, idle, 0.4)
    assert (same.items == one.items).all() and same.scores == pytest.approx(one.scores)
