"""The command line `shopkeel`: every stage without Airflow, and everything a reader of the tables needs.

One file a group of commands. Nothing heavy is imported here: a command imports what it needs when it runs.
"""

from pipeline.cli.app import app, main

from pipeline.cli import nights, reading, snapshots, keeping, erasing, ranking, reviewing, backtesting, machine  # isort: skip  (help lists them in this order)

__all__ = [
    "app",
    "backtesting",
    "erasing",
    "keeping",
    "machine",
    "main",
    "nights",
    "ranking",
    "reading",
    "reviewing",
    "snapshots",
]
