"""What can go wrong, split by what the caller should do about it. Messages say where, what, and the remedy."""


class ShopkeelError(Exception):
    """Base of every error this package raises; a rerun with the same inputs meets it again."""

    exit_code = 1


class ConfigError(ShopkeelError):
    """A setting, argument or installed piece is missing or wrong: mend it and run again."""

    exit_code = 2


class DataError(ShopkeelError):
    """Input or output breaks a contract: mend the data, a rerun alone cannot help."""

    exit_code = 3


class NoData(DataError):
    """The shop has nothing for this date: choose another date or wait for its arrivals."""

    exit_code = 4


class Refused(ShopkeelError):
    """A gate said no: the last good snapshot stays; read the verdict, then mend data or model."""

    exit_code = 5


class Superseded(ShopkeelError):
    """Another run committed first: nothing to do, read the current snapshot."""

    exit_code = 6


class CommitStateUnknown(ShopkeelError):
    """The commit may or may not have happened: run the same date again, which resolves it."""

    exit_code = 7


MACHINE = 8
"""Exit code when the machine gave out (disk, memory): a rerun may succeed, and Airflow retries."""
