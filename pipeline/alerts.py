"""Tells people that a night needs them, by e-mail and by webhook: where the environment names one, else nobody.

`SHOPKEEL_ALERT_WEBHOOK` is a URL that takes JSON (its `text` is what Slack and its like show), `SHOPKEEL_ALERT_EMAIL`
the addresses, with commas between, and `SHOPKEEL_ALERT_SMTP` the server, as smtp://user:password@host:port. Not here:
when to tell (`airflow_defaults`), and what a night's report says.
"""

import json
import logging
import os
import smtplib
import urllib.request
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

WEBHOOK, EMAIL, SMTP = "SHOPKEEL_ALERT_WEBHOOK", "SHOPKEEL_ALERT_EMAIL", "SHOPKEEL_ALERT_SMTP"
SECONDS = 10  # no task waits longer for a receiver
SENDER = "shopkeel@localhost"


def tell(text: str, **facts: str) -> list[str]:
    """Send one sentence to whoever the environment names; a receiver that fails is logged and fails nothing.

    Args:
        text: what happened and what to do.
        facts: such as kind, shop, day and task, for machines.

    Returns:
        What was told, of "webhook" and "email".
    """
    told = []
    for name, variable, send in (("webhook", WEBHOOK, _post), ("email", EMAIL, _mail)):
        if place := os.environ.get(variable):
            try:
                send(place, text, facts)
                told.append(name)
            except Exception as error:  # the night's own outcome is what counts
                log.warning("alert by %s was not taken (%s); see %s", name, type(error).__name__, variable)
    return told


def _post(url: str, text: str, facts: dict[str, str]) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("no http address")
    body = json.dumps({"text": text} | facts).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - checked above
    with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
        pass


def _mail(to: str, text: str, facts: dict[str, str]) -> None:
    server = urlsplit(os.environ.get(SMTP) or "smtp://localhost:25")
    message = EmailMessage()
    message["From"], message["To"] = SENDER, to
    message["Subject"] = " ".join(f"Shopkeel: {facts.get('shop', '')} {facts.get('kind', '')}".split())
    message.set_content("\n".join([text, "", *(f"{name}: {fact}" for name, fact in facts.items())]))
    with smtplib.SMTP(server.hostname or "localhost", server.port or 25, timeout=SECONDS) as client:
        if server.username:
            client.starttls()
            client.login(unquote(server.username), unquote(server.password or ""))
        client.send_message(message)
