"""The command line `shopkeel`: every stage without Airflow, and everything a reader of the tables needs.

One file a group of commands. Nothing heavy is imported here: a command imports what it needs when it runs.
"""

from pipeline.cli.app import app, main

# Help lists them in this order.
from pipeline.cli import nights, tuning, reading, explaining, chatting, snapshots, keeping, erasing  # isort: skip
from pipeline.cli import ranking, reviewing, talking, backtesting, machine  # isort: skip

__all__ = [
    "app",
    "backtesting",
    "chatting",
    "erasing",
    "explaining",
    "keeping",
    "machine",
    "main",
    "nights",
    "ranking",
    "reading",
    "reviewing",
    "snapshots",
    "talking",
    "tuning",
]
