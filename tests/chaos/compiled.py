"""Loops that a night compiles, compiled where processes that may be killed are forked from, so that none pays for it.

Types are those that a night has; a loop asked for others is compiled once more in the process that asks.
"""

import numpy as np

from pipeline.balance import calibrate
from pipeline.features import history
from pipeline.models import baskets, row_loops, tree_scores, tree_shares

PLACE, ROW = np.zeros(1, np.int64), np.ones(1, np.float32)
ROWS = (np.array([0, 1], np.int32), np.zeros(1, np.int32), ROW)

row_loops.best(*ROWS, 1)
row_loops.best(*ROWS[:2], ROW.astype(np.float64), 1)
row_loops.best_of_whole(ROW[None, :], 1)
row_loops.best_of_whole(ROW[None, :].astype(np.float64), 1, -np.inf)
row_loops.strongest(ROWS, 1)
row_loops.best_over((*ROWS[:2], ROW.astype(np.float64)), ROW.astype(np.float64), PLACE)
row_loops.at_places(ROWS, 1, PLACE, PLACE)
row_loops.strike(ROWS, 1, *ROWS[:2])
row_loops.summed(ROWS, ROWS, 1)
row_loops.nearest(ROWS, ROWS, 1, PLACE, 1)
history._habits(np.array([0, 1]), ROWS[1], PLACE, np.ones(1), 1)
baskets._buyers(PLACE, PLACE, PLACE, 1)
calibrate._order(PLACE[None, :], PLACE[None, :], np.ones((1, 1)), (*ROWS[:2], np.ones(1)), 1, 0.5, np.ones(1))

_NO_SPLIT = (np.zeros(2, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, bool))
_LEAF = np.zeros((1, tree_scores.LEAVES))
tree_scores._add(ROW[None, :], tree_scores.Trees(*_NO_SPLIT, np.zeros(0, np.uint32), _LEAF), np.zeros(1))

_NONE, _NODES = np.zeros(0, np.int64), np.zeros((1, 1, tree_shares.NODES))
_KNOWS = (np.zeros(2, np.int64), np.array([0, 1]), np.zeros(2, np.int64), *_NO_SPLIT[1:], _NODES, np.zeros(2, np.int64))
_PATHS = (np.ones(1, np.int64), _NONE, _NONE, _NONE, _NODES[:, :0, None], _NODES[:, :0, None], _NONE)
_TREES = tree_shares.Trees(*_KNOWS, *_PATHS)
_KNOWN = tree_shares.Known.nothing(_TREES)
tree_shares._add(ROW[None, :], _TREES, tree_shares.Told.by(_TREES), _KNOWN, np.zeros((1, 1)))
