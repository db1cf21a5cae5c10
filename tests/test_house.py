"""House rules that no linter knows: every module has its tests, its words and a readable size, and none takes the way
that lets a model file run code or a clock decide a night."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "pipeline", ROOT / "tests"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "dags").glob("*.py")])
LONGEST = 400

NIGHT = "files in, pure functions, files out: the whole night of tests/test_night.py runs it"
REVIEWS = "the night of tests/test_landing_night.py runs it on real reviews"
# Modules without a test file of their own, and where they are tested instead.
ELSEWHERE = {
    "audit/agreement.py": "tests/audit/test_promises.py tampers with each table",
    "audit/finding.py": "tests/audit/test_promises.py reads each row",
    "reports/judged.py": "tests/reports/test_night.py reads it on the page",
    "reports/notes.py": "tests/reports/test_night.py reads it on the page",
    "settings/audiences.py": "tests/settings/test_shop.py refuses what is wrong in a shop's file",
    "settings/models.py": "tests/settings/test_shop.py refuses what is wrong in a shop's file",
    "stages/audited.py": NIGHT,
    "stages/answers.py": NIGHT,
    "stages/balance.py": NIGHT,
    "stages/balance_figures.py": NIGHT,
    "stages/blocks.py": NIGHT,
    "stages/dialogue_inputs.py": "tests/stages/test_fine_tune_answers.py and test_score_open_questions.py read by it",
    "stages/evenings.py": NIGHT,
    "stages/features.py": NIGHT,
    "stages/fine_tune_cart.py": NIGHT,
    "stages/fine_tune_recommendations.py": NIGHT,
    "stages/fine_tune_sentiment.py": REVIEWS,
    "stages/goods.py": NIGHT,
    "stages/ingest.py": NIGHT,
    "stages/layout_inputs.py": NIGHT,
    "stages/operating_point.py": NIGHT,
    "stages/place.py": NIGHT,
    "stages/promised.py": NIGHT,
    "stages/publish.py": NIGHT,
    "stages/ranked.py": "tests/test_spark.py holds a night on Spark to one in a process",
    "stages/ranking_inputs.py": NIGHT,
    "stages/reasons.py": NIGHT,
    "stages/report.py": NIGHT,
    "stages/review_inputs.py": REVIEWS,
    "stages/response_inputs.py": NIGHT,
    "stages/scene.py": NIGHT,
    "stages/tune.py": "tests/test_tuning.py runs a week's search",
    "stages/score_cart.py": NIGHT,
    "stages/score_recommendations.py": NIGHT,
    "stages/why.py": NIGHT,
    "tracking/client.py": "tests/test_tracking.py ships through it",
    "warehouse/republish.py": "tests/test_erasure.py and tests/test_rotation.py publish by it",
    "tracking/note.py": "tests/test_tracking.py ships through it",
    "tracking/registry.py": "tests/test_tracking.py ships through it",
    "tracking/shipment.py": "tests/test_tracking.py ships through it",
}

# What has no place in the package, as a name that is called or imported.
BANNED = {
    "pickle": "models are safetensors and JSON",
    "cloudpickle": "models are safetensors and JSON",
    "dill": "models are safetensors and JSON",
    "joblib": "models are safetensors and JSON",
    "torch.load": "models are safetensors and JSON",
    "datetime.now": "the business day is an argument, never the clock",
    "datetime.utcnow": "the business day is an argument, never the clock",
    "datetime.today": "the business day is an argument, never the clock",
    "date.today": "the business day is an argument, never the clock",
    "time.time": "durations are time.perf_counter's",
    "os.system": "a subprocess takes a list of arguments",
    "eval": "data is not code",
    "exec": "data is not code",
}
# Who may ask the clock, and what for.
CLOCK = {
    "pipeline/cli/snapshots.py": ("datetime.now", "how old the current snapshot is"),
    "pipeline/cli/chatting.py": ("datetime.now", "when a talk that is kept was held"),
}
SWITCHES = {"shell": "a subprocess takes a list of arguments", "trust_remote_code": "a checkpoint brings no code"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def mirror(module: Path) -> Path:
    inside = module.relative_to(PACKAGE)
    return TESTS / inside.with_name(f"test_{inside.name}")


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def offences(source: str) -> list[str]:
    """What a source does that it must not, as `line: what`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names, switches = [], []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call):
            names = [dotted(node.func)]
            switches = [one.arg for one in node.keywords if one.arg in SWITCHES and is_on(one.value)]
        for said in names:
            parts = said.split(".")
            # `datetime.datetime.now` is `datetime.now`; `model.eval` is not `eval`.
            known = {said, parts[0], ".".join(parts[-2:])}
            found += [f"{node.lineno}: {banned}" for banned in BANNED if banned in known]
        found += [f"{node.lineno}: {switch}" for switch in switches]
    return found


def is_on(value: ast.expr) -> bool:
    return not (isinstance(value, ast.Constant) and value.value is False)


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_every_module_has_its_test_file_or_says_where_it_is_tested(module):
    inside = module.relative_to(PACKAGE).as_posix()
    assert mirror(module).exists() or inside in ELSEWHERE, f"write {name(mirror(module))}"


def test_the_list_of_exceptions_names_only_what_needs_it():
    for inside in ELSEWHERE:
        assert (PACKAGE / inside).exists(), f"{inside} is gone; drop it from the list"
        assert not mirror(PACKAGE / inside).exists(), f"{inside} has its tests; drop it from the list"


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_every_module_says_what_it_is_and_stays_readable(source):
    text = source.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{name(source)} needs a docstring: what it holds and what it does not"
    assert len(text.splitlines()) <= LONGEST, f"{name(source)} is over {LONGEST} lines; split it"


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_no_module_lets_data_run_code_or_asks_the_clock(source):
    allowed, _why = CLOCK.get(name(source), ("nothing", ""))
    assert [found for found in offences(source.read_text(encoding="utf-8")) if not found.endswith(allowed)] == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import dump",
        "import torch\ntorch.load('x')",
        "from torch import load",
        "from datetime import date\ndate.today()",
        "import datetime\ndatetime.datetime.now()",
        "import time\ntime.time()",
        "from time import time",
        "run('ls', shell=True)",
        "AutoModel.from_pretrained('x', trust_remote_code=True)",
        "AutoModel.from_pretrained('x', trust_remote_code=given)",
        "eval('1')",
        "import os\nos.system('ls')",
    ],
)
def test_the_rule_sees_what_it_forbids(line):
    assert offences(line)


@pytest.mark.parametrize(
    "line",
    [
        "import time\ntime.perf_counter()",
        "run(['ls'], shell=False)",
        "model.eval()",
        "torch.save(x)",
        "date(2017, 1, 1)",
    ],
)
def test_the_rule_lets_the_rest_be(line):
    assert offences(line) == []


# Spelled in parts, so that this file keeps its own rule.
PATHS = [rf"/{folder}/" for folder in ("work", "root", r"home/\w+")]
LEFT = [r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", "raise NotImplemented" + "Error"]


def test_no_source_names_a_machine_or_leaves_work_undone():
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        assert not re.search("|".join(PATHS + LEFT), text), name(source)
