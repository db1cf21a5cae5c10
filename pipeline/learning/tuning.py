"""A search over settings within a budget of minutes: trials that fall behind are pruned, and each leaves its record.

The first trial is the shop's own settings, so that what is found is no worse than they on the texts that choose. How
far a budget reaches depends on the machine: a winner is kept as a model, not as a promise to be found again.
Sources: Akiba et al. 2019, Optuna, https://arxiv.org/abs/1907.10902; Bergstra et al. 2011 (TPE).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import optuna

from pipeline.errors import NoData
from pipeline.record import JsonRecorder

LOSS = "valid/loss"
UNPRUNED = 2  # trials that end before any is pruned
BY_CHANCE = 4  # trials before the sampler follows what it has seen
TRIALS = 200


class OutOfTime(Exception):
    """The budget ended within a trial."""


@dataclass(frozen=True)
class Budget:
    """Seconds that a search may take, from its making on."""

    seconds: float
    began: float

    @classmethod
    def of(cls, minutes: float) -> "Budget":
        """A budget that begins now."""
        return cls(minutes * 60, perf_counter())

    @property
    def left(self) -> float:
        """Seconds."""
        return self.seconds - (perf_counter() - self.began)


class TrialRecorder(JsonRecorder):
    """A trial's record: passes its validation losses on to the study, which may end it.

    Attributes:
        best: the least of them.
    """

    def __init__(self, folder: Path, trial: optuna.Trial, budget: Budget) -> None:
        super().__init__(folder, fresh=True)
        self.trial, self.budget = trial, budget
        self.best, self.told = float("inf"), 0

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Note metrics.

        Raises:
            TrialPruned: others were further at this point.
            OutOfTime: the budget has ended, and this is not the first trial.
        """
        super().metrics(values, step)
        if LOSS in values:
            self.best, self.told = min(self.best, values[LOSS]), self.told + 1
            self.trial.report(values[LOSS], self.told)
            if self.trial.should_prune():
                raise optuna.TrialPruned
        if self.budget.left < 0 and self.trial.number:
            raise OutOfTime


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        settings: of the best trial.
        loss: its least validation loss.
        first: that of the shop's own settings.
        trials: by state: complete, pruned, out of time.
    """

    settings: dict[str, Any]
    loss: float
    first: float
    trials: dict[str, int]


def search(
    suggest: Callable[[optuna.Trial], dict[str, Any]],
    train: Callable[[dict[str, Any], TrialRecorder], None],
    first: Mapping[str, Any],
    *,
    budget: Budget,
    record: Path,
    seed: int,
    most: int = TRIALS,
) -> Found:
    """Search within a budget; the first trial is let to its end whatever it takes.

    Args:
        suggest: draws a trial's settings.
        train: trains with them; its validation losses reach the recorder.
        first: parameters of the first trial, by their names in the study.
        budget: of the whole.
        record: folder under which each trial leaves a record of its own, `trial-000` on.
        seed: of the drawing.
        most: trials at most.

    Raises:
        NoData: not even the first trial had a validation loss.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(n_startup_trials=BY_CHANCE, seed=seed)
    study = optuna.create_study(sampler=sampler, pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED))
    study.enqueue_trial(dict(first))
    counted: dict[str, int] = {}

    def objective(trial: optuna.Trial) -> float:
        settings, began = suggest(trial), perf_counter()
        recorder = TrialRecorder(record / f"trial-{trial.number:03}", trial, budget)
        recorder.params({"tuning": settings})
        trial.set_user_attr("settings", settings)
        state = "complete"
        try:
            train(settings, recorder)
        except optuna.TrialPruned:
            state = "pruned"
            raise
        except OutOfTime:
            state = "out of time"
            trial.study.stop()
            raise optuna.TrialPruned from None
        finally:
            counted[state] = counted.get(state, 0) + 1
            JsonRecorder.metrics(recorder, {"stage/seconds": perf_counter() - began})
            recorder.tags({"item": f"trial {trial.number}", "status": "done", "trial/state": state})
        return recorder.best

    study.optimize(objective, n_trials=most, timeout=max(budget.left, 0.0) or None)
    done = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    if not done or done[0].number or done[0].value == float("inf"):
        raise NoData("the first trial had no validation loss: too few texts to choose by")
    best = min(done, key=lambda one: (one.value, one.number))
    return Found(best.user_attrs["settings"], float(best.value or 0.0), float(done[0].value or 0.0), counted)
