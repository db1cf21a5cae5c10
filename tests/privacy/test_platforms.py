"""Addresses as the platforms hash them: by hand, and however they were typed."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.privacy.floors import PLATFORM_FLOORS
from pipeline.privacy.platforms import HEADERS, hashed, normalised


@pytest.mark.parametrize(
    ("typed", "platform", "plain"),
    [
        (" Ann@Example.COM ", "meta", "ann@example.com"),
        ("A.n.n+shop@gmail.com", "google", "ann@gmail.com"),
        ("A.n.n+shop@gmail.com", "meta", "a.n.n+shop@gmail.com"),
        ("a.n.n+shop@example.com", "google", "a.n.n+shop@example.com"),
        ("ann", "meta", None),
        ("", "google", None),
        ("@example.com", "meta", None),
        ("ann@host", "meta", None),
        ("ann smith@example.com", "meta", None),
        (".+x@gmail.com", "google", None),
    ],
)
def test_an_address_is_made_plain(typed, platform, plain):
    assert normalised(typed, platform) == plain
    assert hashed(typed, platform) == (None if plain is None else hashlib.sha256(plain.encode()).hexdigest())


@given(st.emails(), st.sampled_from(sorted(PLATFORM_FLOORS)))
def test_case_and_blanks_around_it_do_not_matter_and_nothing_is_made_plain_twice(email, platform):
    plain = normalised(email, platform)
    if plain is not None:
        assert normalised(f" {email.upper().lower()}\n", platform) == plain == normalised(plain, platform)


def test_every_platform_with_a_floor_has_a_form():
    assert set(HEADERS) == set(PLATFORM_FLOORS)
