"""The marketing page in a real browser: nothing is cut off on a phone, every table is named, every word can be read.

A frame as wide as the screen holds the page, so that its own media queries decide; a script in the frame's parent
measures what the browser laid out. Skipped where no Chromium is on the machine.
"""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.reports import marketing
from tests.reports.test_marketing import publish  # noqa: F401, a fixture

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHONE, DESK = 390, 1280
READABLE, READABLE_LARGE = 4.5, 3.0  # WCAG 2.2, AA
MEASURE = Path(__file__).with_name("measure.js")
FOUND = re.compile(r'<pre id="found">(.*?)</pre>', re.S)


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on this machine")
    return found


@pytest.fixture
def look(browser, publish, tmp_path):  # noqa: F811
    """Lays the page out at a width and in a colour scheme; returns what was measured, and leaves a screenshot."""
    page = marketing.render(publish()).read_text(encoding="utf-8")

    def at(width: int, scheme: str) -> dict:
        framed = tmp_path / "framed.html"
        framed.write_text(
            f'<!DOCTYPE html><body style="margin:0"><iframe srcdoc="{html.escape(page)}" width="{width}" height="9000" '
            f'style="border:0"></iframe><pre id="found"></pre><script>{MEASURE.read_text()}</script>',
            encoding="utf-8",
        )
        switches = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={['dark', 'light'].index(scheme)}",
            f"--window-size={max(width, 500)},3000",
        ]  # fmt: skip
        shot = tmp_path / f"marketing-{width}-{scheme}.png"
        for wanted in ("--dump-dom", f"--screenshot={shot}"):
            done = subprocess.run(
                [browser, *switches, wanted, framed.as_uri()], capture_output=True, text=True, timeout=240, check=True
            )
            if wanted == "--dump-dom":
                measured = json.loads(html.unescape(FOUND.search(done.stdout)[1]))
        assert shot.stat().st_size > 10_000
        return measured

    return at


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (PHONE, "dark"), (DESK, "light")])
def test_the_page_fits_the_screen_and_can_be_read(look, width, scheme):
    found = look(width, scheme)
    assert found["dark"] == (scheme == "dark")
    assert found["width"] == width
    assert found["wider"] == [], "cut off, or scrolled sideways as a whole"
    assert found["squeezed"] == [], "words broken into letters"
    assert found["tables"] > 2
    assert found["unnamed"] == [], "tables without a caption, figures without words, links without a name"
    assert found["headings"][0] == 1
    assert found["texts"] > 80
    faint = [one for one in found["contrast"] if one["ratio"] < (READABLE_LARGE if one["large"] else READABLE)]
    assert faint == []


def test_on_a_phone_cards_stand_in_one_column(look):
    assert look(PHONE, "light")["columns"] == 1
    assert look(DESK, "light")["columns"] == 2
