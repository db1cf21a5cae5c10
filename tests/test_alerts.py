"""Alerts reach real receivers, and one that fails fails nothing."""

import logging
import socket

import pytest

from pipeline import alerts
from tests.receivers import mailbox, webhook

FACTS = {"kind": "failure", "shop": "corner", "day": "2017-03-20", "task": "audit"}


@pytest.fixture(autouse=True)
def nobody_is_named(monkeypatch):
    for variable in (alerts.WEBHOOK, alerts.EMAIL, alerts.SMTP):
        monkeypatch.delenv(variable, raising=False)


def test_both_are_told_what_happened_and_of_what(monkeypatch):
    with webhook() as (url, bodies), mailbox() as (server, letters):
        monkeypatch.setenv(alerts.WEBHOOK, url)
        monkeypatch.setenv(alerts.EMAIL, "night@shop.example,owner@shop.example")
        monkeypatch.setenv(alerts.SMTP, server)
        assert alerts.tell("task audit failed: 3 users", **FACTS) == ["webhook", "email"]
    assert bodies == [{"text": "task audit failed: 3 users"} | FACTS]
    (letter,) = letters
    assert "TO:<night@shop.example>" in letter.splitlines()[0]
    assert "<owner@shop.example>" in letter
    assert "Subject: Shopkeel: corner failure" in letter
    assert "task audit failed: 3 users" in letter
    assert "day: 2017-03-20" in letter


def test_nobody_named_nobody_told():
    assert alerts.tell("x", **FACTS) == []


def test_a_line_break_in_an_error_makes_no_header(monkeypatch):
    with mailbox() as (server, letters):
        monkeypatch.setenv(alerts.EMAIL, "night@shop.example")
        monkeypatch.setenv(alerts.SMTP, server)
        assert alerts.tell("broken\nBcc: all@shop.example", **FACTS | {"shop": "a\nBcc: b@c.d"}) == ["email"]
    head, _, body = letters[0].partition("\r\n\r\n")
    assert "\nBcc:" not in head
    assert "Bcc: all@shop.example" in body


@pytest.mark.parametrize("place", ["closed port", "file:///etc/hostname", "no address"])
def test_a_receiver_that_fails_is_logged_without_its_address(monkeypatch, caplog, place):
    if place == "closed port":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            place = f"http://secret@127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv(alerts.WEBHOOK, place)
    with caplog.at_level(logging.WARNING, logger=alerts.__name__):
        assert alerts.tell("x", **FACTS) == []
    (record,) = caplog.records
    assert "alert by webhook was not taken" in record.message
    assert "secret" not in record.message


def test_an_answer_that_is_no_yes_is_a_failure(monkeypatch):
    with mailbox() as (server, _):  # speaks no HTTP
        monkeypatch.setenv(alerts.WEBHOOK, server.replace("smtp", "http"))
        monkeypatch.setattr(alerts, "SECONDS", 1)
        assert alerts.tell("x", **FACTS) == []
