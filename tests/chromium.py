"""A headless Chromium that a test looks through: pages opened, read, clicked and kept as pictures."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 180.0  # seconds until words must stand on a page
WIDE, HIGH = 1400, 1000  # pixels


class Page:
    """One tab, spoken to by Chromium's DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._sent = connection, 0
        self.do("Page.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        self._sent += 1
        self._connection.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while (told := json.loads(self._connection.recv(PATIENCE))).get("id") != self._sent:
            pass  # an event
        assert "error" not in told, f"{method}: {told['error']}"
        return told["result"]

    def open(self, address: str) -> None:
        """Go to an address in a fresh document, also where only what follows its # differs."""
        self.do("Page.navigate", url="about:blank")
        self.do("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression on the page."""
        told = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, f"{script}: {told['exceptionDetails']}"
        return told["result"].get("value")

    def words(self) -> str:
        """What a person reads on the page, and in its frames of the same origin."""
        return self.run(
            "[document, ...[...document.querySelectorAll('iframe')].map(one => one.contentDocument)]"
            ".map(one => one?.body?.innerText ?? '').join('\\n').replaceAll('\\u00a0', ' ')"
        )

    def reads(self, *expected: str) -> str:
        """Wait until all of these words stand on the page; all that stands there.

        Raises:
            AssertionError: some never came.
        """
        give_up = time.monotonic() + PATIENCE
        while missing := [one for one in expected if one.lower() not in (found := self.words()).lower()]:
            assert time.monotonic() < give_up, f"{self.run('location.href')} lacks {missing}; it has: {found[:3000]}"
            time.sleep(0.5)
        return found

    def waits(self, script: str) -> None:
        """Wait until an expression is true on the page."""
        give_up = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < give_up, f"never true: {script}; the page has: {self.words()[:3000]}"
            time.sleep(0.5)

    def press(self, selector: str) -> None:
        """Click the first element of a selector, once it is there."""
        self.waits(f"!!document.querySelector({selector!r})")
        self.run(f"document.querySelector({selector!r}).click()")

    def click(self, words: str) -> None:
        """Click the first button or link that says just this."""
        there = f"[...document.querySelectorAll('button, a')].find(one => one.innerText.trim() === {words!r})"
        self.waits(f"!!{there}")
        self.run(f"{there}.click()")

    def type(self, selector: str, words: str) -> None:
        """Type into a field."""
        self.run(f"document.querySelector({selector!r}).focus()")
        self.do("Input.insertText", text=words)

    def picture(self, path: Path, high: int = HIGH) -> None:
        """Keep what is seen, so many pixels high."""
        self.do("Emulation.setDeviceMetricsOverride", width=WIDE, height=high, deviceScaleFactor=1, mobile=False)
        time.sleep(2)  # plots draw themselves anew
        path.parent.mkdir(parents=True, exist_ok=True)
        seen = BytesIO(base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"]))
        with Image.open(seen) as picture:
            picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A tab of a browser that keeps its profile in a folder; skips the test on a machine without one."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(NAMES)} is on this machine")
    words = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--no-first-run",
        "--no-proxy-server", "--remote-debugging-port=0", f"--user-data-dir={folder}", f"--window-size={WIDE},{HIGH}",
    ]  # fmt: skip
    with subprocess.Popen([program, *words, "about:blank"], stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_tab(folder), proxy=None, max_size=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()


def _tab(folder: Path) -> str:
    """Where the browser's first tab is spoken to."""
    told, give_up = folder / "DevToolsActivePort", time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if told.exists() and (lines := told.read_text().split()):
            with httpx.Client(trust_env=False) as http:
                tabs = http.get(f"http://127.0.0.1:{lines[0]}/json").json()
            if pages := [one for one in tabs if one["type"] == "page"]:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.2)
    raise AssertionError(f"the browser did not say where it listens: {told}")
