"""Errors tell a caller what to do by their class, and a shell by their exit code."""

import inspect

import pytest

from pipeline import errors

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ShopkeelError)]


def test_every_error_has_its_own_exit_code() -> None:
    codes = {kind.__name__: kind.exit_code for kind in ALL}
    assert len(ALL) == 7 and len(set(codes.values())) == len(codes)
    assert (
        0 not in codes.values() and max(codes.values()) < 64
    )  # past 63 shells and sysexits have meanings of their own


@pytest.mark.parametrize("kind", ALL)
def test_an_error_is_caught_as_the_package_s_and_never_as_one_worth_a_retry(kind: type[Exception]) -> None:
    """Orchestrators try again on OSError and MemoryError alone."""
    assert issubclass(kind, errors.ShopkeelError) and not issubclass(kind, (OSError, MemoryError, ValueError))
    assert kind.__doc__ and kind("feeds: gone; land it again").args == ("feeds: gone; land it again",)


def test_a_day_without_data_is_a_data_error() -> None:
    assert issubclass(errors.NoData, errors.DataError)
    assert not issubclass(errors.Refused, errors.DataError)
