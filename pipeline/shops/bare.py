"""A bare file of rows, outside any shop: CSV, tab-separated, JSON lines or Parquet as a frame, and usual columns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import DataError

SPLIT = ("split", "fold", "part")
HELD_OUT = ("test", "held_out", "holdout", "eval")


def frame(path: Path, what: str) -> pd.DataFrame:
    """A file's rows; its ending says the format.

    Args:
        path: the file.
        what: its rows are of, for the message.

    Raises:
        DataError: it is not there or cannot be read.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give one of {what}")
    ending = "".join(path.suffixes[-2:]).lower().removesuffix(".gz")[-8:]
    try:
        if ending.endswith(".parquet"):
            return pd.read_parquet(path)
        if ending.endswith((".jsonl", ".json", ".ndjson")):
            return pd.read_json(path, lines=True, dtype=False)
        separator = "\t" if ending.endswith((".tsv", ".txt")) else ","
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable ({' '.join(str(error).split())[:120]}); mend the file") from error


def named(rows: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns of usual names, in the order of the names."""
    known = {str(column).strip().lower(): str(column) for column in rows.columns}
    return [known[name] for name in names if name in known]


def column(path: Path, rows: pd.DataFrame, given: str | None, names: Sequence[str], what: str) -> str:
    """The column given, else the first of a usual name.

    Raises:
        DataError: there is none such.
    """
    found = [given] if given in rows.columns else [] if given else named(rows, names)
    if not found:
        have = ", ".join(str(one) for one in rows.columns)
        raise DataError(
            f"{path}: no column '{given or what}' among {have}; name it with --text-column or --label-column"
        )
    return str(found[0])


def words(rows: pd.DataFrame, name: str) -> list[str]:
    """A column as texts without space around them, empty where there is none."""
    return [str(one) for one in rows[name].fillna("").astype(str).str.strip()]


def held_out(rows: pd.DataFrame) -> np.ndarray:
    """Rows that the file itself holds out, by its column `split`: bool [N], none without one."""
    found = named(rows, SPLIT)
    if not found:
        return np.zeros(len(rows), bool)
    names = rows[found[0]].astype("string").str.strip().str.lower().fillna("")
    return np.asarray(names.isin(HELD_OUT), bool)
