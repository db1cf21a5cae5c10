"""RecTools' SASRec with sampled softmax on a file of sequences: PYTHON benchmarks/sasrec.py SEQUENCES OUT [MINUTES].

Needs a Python of its own, as RecTools 0.19 wants numpy below 2:
`pip install "rectools[lightning,torch]==0.19.0" "pyarrow<24"`. Its lists have the form of `shopkeel rank`;
`benchmarks.peers` starts this and scores them. Training stops when the validation item is no longer better foretold, or
when time is up.
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

SEED, THREADS, PLACES, MINUTES = 7, 2, 50, 30.0
NEGATIVES, WIDTH, LENGTH, BATCH, PATIENCE = 256, 64, 50, 128, 3


def interactions(path: Path) -> pd.DataFrame:
    """All but the last item of each line, in RecTools' columns; a step is a day."""
    rows = []
    for line in path.read_text().splitlines():
        user, *items = (int(word) for word in line.split())
        rows += [(user, item, 1.0, pd.Timestamp(2000, 1, 1) + timedelta(days=at)) for at, item in enumerate(items[:-1])]
    return pd.DataFrame(rows, columns=[Columns.User, Columns.Item, Columns.Weight, Columns.Datetime])


def newest(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are their user's last: training is stopped by them."""
    return rows.groupby(Columns.User)[Columns.Datetime].rank(method="first", ascending=False) == 1


def main(sequences: Path, out: Path, minutes: float) -> None:
    """Train until the validation item is no longer better foretold or time is up, and write the lists."""
    torch.set_num_threads(THREADS)
    lightning.seed_everything(SEED)
    rows = interactions(sequences)
    data = Dataset.construct(rows)
    with tempfile.TemporaryDirectory() as folder:

        def trainer() -> lightning.Trainer:
            return lightning.Trainer(
                max_epochs=100,
                max_time=timedelta(minutes=minutes),
                logger=False,
                enable_progress_bar=False,
                accelerator="cpu",
                callbacks=[
                    ModelCheckpoint(folder, "best", monitor="val_loss", save_weights_only=True),
                    EarlyStopping("val_loss", patience=PATIENCE, verbose=True),
                ],
            )

        model = SASRecModel(
            n_blocks=2,
            n_heads=1,
            n_factors=WIDTH,
            session_max_len=LENGTH,
            loss="sampled_softmax",
            n_negatives=NEGATIVES,
            batch_size=BATCH,
            get_val_mask_func=newest,
            get_trainer_func=trainer,
        )
        model.fit(data)
        model.load_weights_from_checkpoint(Path(folder) / "best.ckpt")
    lists = model.recommend(rows[Columns.User].unique(), data, k=PLACES, filter_viewed=True)
    lists = lists.rename(columns={Columns.User: "user", Columns.Item: "item", Columns.Rank: "rank"})
    lists[["user", "item", "rank"]].to_parquet(out, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float((*sys.argv[3:], MINUTES)[0]))
