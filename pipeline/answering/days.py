"""Which day a question names, in English and Chinese, as of the business day.

Not here: what happened on it (`tools`).
"""

import re
from contextlib import suppress
from datetime import date, timedelta

MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
NEAR = {"day before yesterday": -2, "yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1}
NEAR |= {"前天": -2, "昨天": -1, "今天": 0, "明天": 1, "后天": 2}
DATE = re.compile(
    r"(?P<iso>\b\d{4}-\d{1,2}-\d{1,2}\b)|(?:(?P<year>\d{4})年)?(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号]"
    rf"|(?P<written>\b(?:{MONTHS})[a-z]*\.? \d{{1,2}}(?:[snrt][tdh])?(?:,? \d{{4}})?\b"
    rf"|\b\d{{1,2}}(?:[snrt][tdh])? (?:of )?(?:{MONTHS})[a-z]*(?:,? \d{{4}})?\b)"
    rf"|(?P<near>{'|'.join(NEAR)})|\b(?P<ago>\d{{1,3}}) (?P<unit>day|week)s? ago\b|(?P<before>\d{{1,3}})天前"
    rf"|\b(?:(?P<which>last|next|this|on|since) )(?P<weekday>{DAYS})\b",
    re.IGNORECASE,
)


def named(text: str, today: date) -> date | None:
    """The first day that a text names; None where it names none, or only such as no calendar has.

    Args:
        text: a question.
        today: the business day, from which `yesterday` counts.
    """
    return next((day for found in DATE.finditer(text) if (day := _day(found, today)) is not None), None)


def plain(text: str) -> str:
    """A text in which every day told in figures is `yesterday`: what is asked does not hang on which day it is."""
    word = "昨天" if re.search(r"[\u3400-\u9fff]", text) else "yesterday"
    return DATE.sub(lambda found: word if re.search(r"\d", found.group()) else found.group(), text)


def _day(found: re.Match[str], today: date) -> date | None:
    """The day that was named; None where the calendar has none such."""
    if found["near"]:
        return today + timedelta(NEAR[found["near"].lower()])
    if found["ago"]:
        return today - timedelta(int(found["ago"]) * (7 if found["unit"].lower() == "week" else 1))
    if found["before"]:
        return today - timedelta(int(found["before"]))
    if found["weekday"]:
        ahead = (DAYS.split("|").index(found["weekday"].lower()) - today.weekday()) % 7
        which = found["which"].lower()
        return today + timedelta((ahead or 7) if which == "next" else ahead if which == "this" else ahead - 7)
    numbers = [int(one) for one in re.findall(r"\d+", found.group())]
    if found["iso"]:
        year, month, day = numbers
    elif found["month"]:
        *years, month, day = numbers
        year = years[0] if years else 0
    else:
        day, year = (*numbers, 0)[:2]
        month = 1 + MONTHS.split("|").index(re.search(MONTHS, found["written"].lower()).group())  # type: ignore[union-attr]
    return _in_year(year, month, day, today)


def _in_year(year: int, month: int, day: int, today: date) -> date | None:
    """A day of a year, or of that which brings it nearest to today where none was said."""
    found = []
    for one in [year] if year else [today.year + step for step in (-1, 0, 1)]:
        with suppress(ValueError):
            found.append(date(one, month, day))
    return min(found, key=lambda one: abs((one - today).days), default=None)
