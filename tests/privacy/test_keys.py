"""User keys: keyed, stable, one for one; and a secret that is made once, kept from others and never shown."""

import hashlib
import hmac
import stat
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, Refused
from pipeline.privacy.keys import (
    FILE,
    VARIABLE,
    Secret,
    first_keys,
    key_id,
    load_secret,
    prepare,
    sealed,
    settle,
    turned,
    user_key,
    user_keys,
)

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_a_key_is_the_hmac_and_not_a_plain_hash():
    assert user_key(SECRET, "42") == hmac.new(SECRET, b"42", hashlib.sha256).hexdigest()[:32]
    assert user_key(SECRET, "42") != user_key(OTHER, "42")
    assert not hashlib.sha256(b"42").hexdigest().startswith(user_key(SECRET, "42"))


IDS = st.lists(st.none() | st.text(max_size=4), max_size=20)


@given(IDS, st.integers(0, 20), st.sampled_from(["plain", "chunks", "dictionary"]))
def test_many_keys_are_each_users_key(ids, cut, form):
    array = pa.array(ids, pa.string())
    given_as = {
        "plain": array,
        "chunks": pa.chunked_array([array.slice(0, cut), array.slice(cut)]),
        "dictionary": array.dictionary_encode(),
    }[form]
    found = user_keys(SECRET, given_as)
    assert found.type == pa.string()
    assert found.to_pylist() == [None if name is None else user_key(SECRET, name) for name in ids]


@given(st.sets(st.text(max_size=6), max_size=30))
def test_different_users_have_different_keys(ids):
    assert len({user_key(SECRET, name) for name in ids}) == len(ids)


def test_a_sealed_key_stands_for_itself_whatever_rotations_came_between():
    once, turned_since = Secret(SECRET), Secret.of([SECRET, OTHER])
    key, later = user_key(once, "42"), user_key(turned_since, "42")
    assert key != later
    for secret, mine in ((once, key), (turned_since, later)):
        seal = sealed(secret, mine)
        assert user_key(once, seal) == key
        assert user_key(turned_since, seal) == later
        assert user_keys(turned_since, pa.array([seal, "42", None])).to_pylist() == [later, later, None]


@given(st.text(max_size=80) | st.just("key:") | st.just(f"key:{'a' * 32}:{'b' * 32}"))
def test_who_lacks_the_secret_seals_nothing(text):
    forged = sealed(Secret(OTHER), "a" * 32)
    for name in (text, forged, forged[:-1], f"{forged}0"):
        assert user_key(SECRET, name) == hmac.new(SECRET, name.encode(), hashlib.sha256).hexdigest()[:32]


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path):
    folder = tmp_path / "home" / "secrets"
    first = load_secret(folder)
    assert len(first) == 32
    assert load_secret(folder) == first
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert load_secret(tmp_path / "elsewhere") != first


def test_of_many_at_once_one_secret_stands(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load_secret, [tmp_path / "secrets"] * 32))) == 1


def test_the_variable_comes_first_and_makes_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, SECRET.hex())
    assert load_secret(tmp_path) == SECRET
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["abc", "zz" * 32, "ab" * 31, "  "])
def test_a_malformed_secret_is_refused_and_not_shown(tmp_path, monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match=f"{VARIABLE}: not at least 32 bytes of hex; `openssl rand") as caught:
        load_secret(tmp_path)
    assert text not in str(caught.value).replace(VARIABLE, "") or not text.strip()
    monkeypatch.delenv(VARIABLE)
    (tmp_path / FILE).write_text(text)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(ConfigError, match=str(tmp_path / FILE)):
        load_secret(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_secret_that_others_can_read_is_refused(tmp_path, mode):
    load_secret(tmp_path)
    (tmp_path / FILE).chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_secret(tmp_path)


def test_a_key_id_tells_secrets_apart_and_nothing_else():
    assert key_id(SECRET) == key_id(SECRET) != key_id(OTHER)
    assert len(key_id(SECRET)) == 12
    assert key_id(SECRET) not in SECRET.hex()


def test_a_rotation_turns_keys_and_turns_them_back(tmp_path):
    first = load_secret(tmp_path)
    second = prepare(tmp_path)
    with pytest.raises(Refused, match="rotate-key"):
        load_secret(tmp_path)
    assert prepare(tmp_path).later == second.later, "one that was cut off is taken up again"
    settle(tmp_path)
    settled = load_secret(tmp_path)
    third = prepare(tmp_path)
    assert (first, settled, len(third.later)) == (second, first, 2) and third.later[0] == second.later[0]
    assert key_id(first) == key_id(third), "the hold-out is drawn by it"
    ids = pa.array(["42", "7", None, "42"])
    old, new, newest = (user_keys(one, ids) for one in (first, second, third))
    assert turned(second.later[0], old).equals(new) and turned(third.later[1], new).equals(newest)
    assert first_keys(third.later, newest).equals(old) and first_keys((), old).equals(old)
    assert not set(old.to_pylist()[:2]) & set(new.to_pylist()) and new.null_count == 1


@given(st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), max_size=8), st.binary(min_size=32, max_size=40))
def test_turning_is_a_permutation(keys, secret):
    there = turned(secret, pa.array(keys, pa.string()))
    assert first_keys((secret,), there).to_pylist() == keys
    assert len(set(there.to_pylist())) == len(set(keys))


def test_a_secret_of_the_environment_is_not_rotated(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, SECRET.hex())
    with pytest.raises(ConfigError, match="rotate it there"):
        prepare(tmp_path)
    monkeypatch.setenv(VARIABLE, f"{SECRET.hex()} {OTHER.hex()}")
    assert (load_secret(tmp_path), load_secret(tmp_path).later) == (SECRET, (OTHER,))
