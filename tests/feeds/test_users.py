"""Cleaning of users: a key, and consent exactly as it came."""

from datetime import date
from typing import Any

from pipeline.contracts.feeds import Reason
from pipeline.privacy.keys import user_key

FLAGS = ("consent_personalisation", "consent_ad_user_data", "consent_ad_personalization")


def test_users_land_under_their_key_and_a_missing_flag_stays_missing(dock: Any) -> None:
    given = {"yes": True, "no": False, "silent": None}
    dock.bring("users", *({"user_id": name, **dict.fromkeys(FLAGS, flag)} for name, flag in given.items()))
    dock.land("users")
    rows = {row["user_key"]: row for row in dock.published("users")}
    found = {name: {rows[user_key(dock.secret, name)][flag] for flag in FLAGS} for name in given}
    assert found == {name: {flag} for name, flag in given.items()}


def test_a_user_without_a_name_is_refused(dock: Any) -> None:
    dock.bring("users", {"user_id": None}, {"user_id": None})
    dock.land("users")
    assert dock.refused("users") == {None: Reason.MISSING_VALUE} and dock.counts("users") == (4, 2, 2, 0)


def test_consent_that_is_withdrawn_arrives_as_a_new_state(dock: Any) -> None:
    for flag, day in ((True, 2), (False, 4)):
        dock.bring("users", {"user_id": "u1", FLAGS[0]: flag}, ds=date(2020, 3, day))
    dock.land("users")
    mine = [row for row in dock.published("users") if row["user_key"] == user_key(dock.secret, "u1")]
    assert [row[FLAGS[0]] for row in mine] == [None, True, False]  # in order of arrival


def test_a_flag_that_is_no_flag_is_no_consent(dock: Any) -> None:
    """The feed's verdict drops the value and keeps the user: an unreadable yes must not count as one."""
    users = dock.rows("users", {"user_id": "u8"}, {"user_id": "u9"})
    column = users.column_names.index(FLAGS[0])
    dock.tables["users"] = users.set_column(column, FLAGS[0], [["true", "perhaps"]])
    notes = dock.land("users")
    rows = {row["user_key"]: row[FLAGS[0]] for row in dock.published("users")}
    assert rows == {user_key(dock.secret, "u8"): True, user_key(dock.secret, "u9"): None}
    assert notes == [f"users.{FLAGS[0]}: came as string, read as boolean"]
