"""A night's model card and data card: what its models are for and how they fare, by group, and what they were made of.

Read from the night's record alone. Not here: the night's own page (`reports.night`), and what the figures are.
Sources: Mitchell et al. 2019, Model Cards for Model Reporting; Gebru et al. 2021, Datasheets for Datasets.
"""

from pathlib import Path
from typing import Any

from pipeline.contracts.docs import PRIVACY_WORDS
from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Privacy
from pipeline.privacy.floors import told
from pipeline.reports import judged
from pipeline.reports import night as page
from pipeline.reports.notes import Notes
from pipeline.settings import Night

MODEL_CARD, DATA_CARD = "model_card.html", "data_card.html"
NO_GROUPS: dict[str, Any] = {"agreed": {}, "gaps": [], "leakage": [], "exposure": []}
USES = {
    "encoder": {
        "what": "Turns the text of an item into a vector: goods nobody has bought yet are known by their words.",
        "form": "A pretrained sentence transformer whose top layers are tuned on goods that baskets hold together.",
        "meant": "likeness of goods within this shop's catalogue, by the other models",
        "barred": "judging people, or texts of another language than its checkpoint's",
        "reads": "titles, categories and brands; nothing about people",
        "limits": "goods with like words are alike to it; a composed name says little",
    },
    "recommendations": {
        "what": "Ranks goods for every shopper who consents to a personalised shop.",
        "form": "A learned order of what a text-aware sequential transformer, habit, neighbours and counts name.",
        "meant": "lists of goods on the shop's pages, mails and ads, balanced against those of the night before",
        "barred": "prices, credit, access to goods, or any conclusion about who a shopper is",
        "reads": "purchases of consenting shoppers, the catalogue and where goods were placed; no attribute of people",
        "limits": "best at what is taken again and again; goods new to a shopper are rarely among the first ten",
    },
    "audiences": {
        "what": "Tells how likely a shopper responds to a campaign.",
        "form": "A calibrated logistic regression on habits, the campaign's goods and texts.",
        "meant": "whom to contact, under budgets, a cap of contacts and a random hold-out",
        "barred": "sensitive categories, and claims of what a contact causes where chance did not decide",
        "reads": "purchases and contacts of shoppers who agreed to ads; no attribute of people",
        "limits": "response rates describe whom the shop chose to contact before",
    },
    "sentiment": {
        "what": "Reads what reviews say of goods.",
        "form": "A tuned encoder and word counts together.",
        "meant": "what a good is praised and blamed for, and goods that no list should show",
        "barred": "judging who wrote a review",
        "reads": "titles, words and stars of reviews",
        "limits": "irony, and languages its encoder does not read; harmful reviews count and are never quoted",
    },
    "answers": {
        "what": "Tells what people want of the service.",
        "form": "A tuned encoder and word counts together, and a margin for each intent that stands beside others.",
        "meant": "what a talk with the chat asks for, and what open questions are about",
        "barred": "judging who said something, or deciding anything for them",
        "reads": "what users said in dialogues, and the intents that the shop or a thumb gave them",
        "limits": "intents of few turns, and languages its encoder does not read",
    },
    "asking": {
        "what": "Tells what a question to the chat asks for.",
        "form": "Logistic regressions on words, letters and, where these are not sure, the text encoder's vectors.",
        "meant": "choosing which facts the chat looks up",
        "barred": "anything but choosing: facts come from the tables",
        "reads": "example questions that ship with it; nothing of users",
        "limits": "English and Chinese; what is like no example is left to documents or people",
    },
    "phrasing": {
        "what": "Writes the chat's sentences in other words.",
        "form": "A small language model, tuned by LoRA; what it wrote by night is kept and it stays shut.",
        "meant": "sentences whose facts are left out and put in again",
        "barred": "saying anything that no fact says: what fails the copy check is not said",
        "reads": "templates and wordings that ship with it; nothing of users",
        "limits": "English; kinds of sentences that it was never taught are seldom re-worded",
    },
}


def render(night: Night) -> tuple[Path, Path]:
    """Write both cards beside the night's report: model card, data card; also for a night that was stopped."""
    notes = Notes(night)
    least = night.shop.policy.audit.least_group
    shared = {"night": night, "tags": notes.tags, "least": least}
    groups = NO_GROUPS | dict(notes.file("audit", "audit_groups"))
    models = [model | {"use": USES[model["name"]]} for model in judged.models(notes, {})]
    about = {"kind": "model card", "models": models, "audited": notes.file("audit", "audits"), "groups": groups}
    feeds, digests = page.feeds(notes), notes.of("ingest", "tags")
    here = [
        feed | {"sentence": FEEDS[feed["name"]].raw.sentence, "digest": digests.get(f"dataset/{feed['name']}", "")}
        for feed in feeds
        if feed["arrived"]
    ]
    made_of = {
        "kind": "data card",
        "feeds": here,
        "missing": sorted(set(FEEDS) - {feed["name"] for feed in here}),
        "quarantine": sorted(notes.file("ingest", "quarantine"), key=lambda one: (-one["rows"], one["feed"])),
        "agreed": {words: told(count, least) for words, count in groups["agreed"].items()},
        "privacy": _privacy(),
    }
    return _write(night, MODEL_CARD, shared | about), _write(night, DATA_CARD, shared | made_of)


def _privacy() -> list[dict[str, Any]]:
    """Columns of the feeds by privacy class."""
    held = {
        kind: sorted({column.name for feed in FEEDS.values() for column in feed.raw.columns if column.privacy is kind})
        for kind in Privacy
    }
    return [
        {"name": str(kind), "words": PRIVACY_WORDS[kind], "columns": names} for kind, names in held.items() if names
    ]


def _write(night: Night, name: str, facts: dict[str, Any]) -> Path:
    path = night.record / name
    text = page.templates().get_template(f"{name}.j2").render(facts)
    path.write_text(text, encoding="utf-8")
    return path
