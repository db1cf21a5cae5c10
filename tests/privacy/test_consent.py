"""Default deny: a missing flag or a no never passes, whatever the rest of the column holds."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.privacy.consent import granted

FLAGS = st.lists(st.none() | st.booleans(), max_size=60)


def column(flags: list[bool | None], cut: int) -> pa.ChunkedArray:
    array = pa.array(flags, pa.bool_())
    return pa.chunked_array([array.slice(0, cut), array.slice(cut)])


@given(FLAGS, st.integers(0, 60))
def test_denied_passes_only_a_yes(flags, cut):
    assert granted(column(flags, cut), "denied").to_pylist() == [flag is True for flag in flags]


@given(FLAGS, st.integers(0, 60))
def test_granted_lets_missing_flags_pass_and_never_a_no(flags, cut):
    assert granted(column(flags, cut), "granted").to_pylist() == [flag is not False for flag in flags]


@pytest.mark.parametrize("setting", ["", "Granted", "yes", "true", None])
@given(flags=FLAGS)
def test_any_other_setting_denies(setting, flags):
    assert granted(pa.array(flags, pa.bool_()), setting).to_pylist() == [flag is True for flag in flags]


@pytest.mark.parametrize(("setting", "passes"), [("denied", False), ("granted", True)])
def test_a_shop_without_flags(setting, passes):
    assert granted(pa.nulls(3), setting).to_pylist() == [passes] * 3
    assert granted(pa.chunked_array([], pa.bool_()), setting).to_pylist() == []


@pytest.mark.parametrize("flags", [["yes", "no"], [1, 0], [1.0, None]])
def test_flags_are_booleans(flags):
    with pytest.raises(DataError, match="not true or false"):
        granted(pa.array(flags), "denied")
