"""Gates: judgements on values, run by Great Expectations from the suites in `expectations/`. Fail closed.

A suite is hand-edited JSON named as the frame it judges. A critical expectation that fails blocks the night, a warning
is reported, and one that crashes blocks whatever its severity. A list column is judged by its lengths. Values are
counted, never quoted: verdicts and Data Docs travel, and rows are about people. Not here: names, types and nullability,
which contracts enforce at the writer.
"""

import json
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from types import ModuleType
from typing import Any, Literal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset
from pyarrow.dataset import Dataset

from pipeline.errors import ConfigError, Refused
from pipeline.warehouse.compact import compact

Severity = Literal["critical", "warning"]
SEVERITIES = ("critical", "warning")
ROW_COUNT = "expect_table_row_count_to_be_between"
# What an expectation of a kind needs to be able to fail.
THRESHOLDS = {"_between": ("min_value", "max_value"), "_in_set": ("value_set",), "_match_regex": ("regex",)}
PAGE = """<!doctype html>
<meta charset="utf-8"><title>Data Docs</title>
<style>body {{font: 16px sans-serif; margin: 3em}} th, td {{text-align: left; padding: .3em 2em .3em 0}}</style>
<h1>Data Docs of a gate</h1>
<p>Each suite, by Great Expectations; its page has every expectation with what was observed.</p>
<table><tr><th>suite<th>verdict<th>expectations<th>failed<th>warnings</tr>
{rows}
</table>
"""


@dataclass(frozen=True)
class Failure:
    """One expectation that did not hold.

    Attributes:
        expectation: its type.
        column: column or columns it is about; empty for the whole table.
        severity: critical blocks, warning is reported.
        observed: what was found, in words.
        why: why it is expected, from the suite.
    """

    expectation: str
    column: str
    severity: Severity
    observed: str
    why: str


@dataclass(frozen=True)
class Verdict:
    """What one suite says of one frame; it passes when nothing critical failed."""

    suite: str
    passed: bool
    evaluated: int
    failures: tuple[Failure, ...]

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON-able values."""
        return {**asdict(self), "failures": [asdict(failure) for failure in self.failures]}


def folder() -> Path:
    """Where the suites lie: `SHOPKEEL_EXPECTATIONS`, else `expectations/` beside the package."""
    return Path(os.environ.get("SHOPKEEL_EXPECTATIONS") or Path(__file__).parents[1] / "expectations")


def load_suite(name: str) -> dict[str, Any]:
    """Read and check the suite of a frame.

    Raises:
        ConfigError: the file is missing or no suite, or an expectation lacks type, severity or why.
        Refused: the suite is empty, or an expectation has no threshold and so could never fail.
    """
    path = folder() / f"{name}.json"
    try:
        suite = json.loads(path.read_text(encoding="utf-8"))
        expectations = suite["expectations"]
        for number, one in enumerate(expectations, start=1):
            if one["severity"] not in SEVERITIES or not one["meta"]["why"] or not isinstance(one["kwargs"], dict):
                raise ConfigError(f"{path}: expectation {number} needs kwargs, why, and severity critical or warning")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no suite; write it, or set SHOPKEEL_EXPECTATIONS to its folder") from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a suite ({error!r}); it needs name, meta and expectations") from error
    if not expectations:
        raise Refused(f"{path}: the suite is empty and would pass anything; write expectations")
    for one in expectations:
        if not _can_fail(one):
            raise Refused(f"{path}: {one['type']} has no threshold and could never fail; set one or remove it")
    return dict(suite)


def check(frames: Mapping[str, pa.Table | Dataset], docs: Path) -> list[Verdict]:
    """Judge each frame by the suite of its name and write Data Docs.

    Args:
        frames: rows to judge by suite name (`feed_events`, `feature_catalogue`, `recommendations`). Of each in turn
            only the columns are held that its suite asks for.
        docs: folder for the HTML site, replaced whole; starts at `index.html`, which needs no network.

    Raises:
        ConfigError: a suite is missing or malformed.
        Refused: a suite could never fail.
    """
    suites = {name: load_suite(name) for name in frames}
    gx = _great_expectations()
    shutil.rmtree(docs, ignore_errors=True)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    site = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.resolve())}
    context.update_data_docs_site(
        "local_site", {"class_name": "SiteBuilder", "show_how_to_buttons": False, "store_backend": site}
    )
    verdicts = [_judge(gx, context, suites[name], name, frame) for name, frame in frames.items()]
    context.build_data_docs()
    (docs / "index.html").write_text(_front_page(docs, verdicts), encoding="utf-8")
    return verdicts


def _front_page(docs: Path, verdicts: Iterable[Verdict]) -> str:
    """The suites with their verdicts and pages; the library's own stays empty where its scripts cannot be fetched."""
    rows = []
    for one in sorted(verdicts, key=lambda verdict: (verdict.passed, verdict.suite)):
        page = next(docs.glob(f"validations/{one.suite}/**/*.html"), docs / "expectations" / f"{one.suite}.html")
        found = "passed" if one.passed else "refused"
        warnings_ = sum(failure.severity != "critical" for failure in one.failures)
        cells = [found, f"{one.evaluated}", f"{len(one.failures) - warnings_}", f"{warnings_}"]
        name = f'<a href="{quote(page.relative_to(docs).as_posix())}">{escape(one.suite)}</a>'
        rows.append(f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return PAGE.format(rows="\n".join(rows))


def require(verdicts: Iterable[Verdict]) -> None:
    """Let the night go on only if every suite passed.

    Raises:
        Refused: a critical expectation failed, or nothing was judged.
    """
    verdicts = list(verdicts)
    if not verdicts:
        raise Refused("gate: nothing was judged; hand it the frames of the stage")
    blocking = [
        f"{verdict.suite}: {failure.expectation}{f' of {failure.column}' if failure.column else ''}: "
        f"{failure.observed} ({failure.why})"
        for verdict in verdicts
        for failure in verdict.failures
        if failure.severity == "critical"
    ]
    if blocking:
        raise Refused(
            f"gate refused {len(blocking)}: {'; '.join(blocking)}. "
            "See the night's Data Docs, mend the data, or change the suite in expectations/ if it is wrong"
        )


def columns_of(expectation: Any) -> set[str]:
    """Columns an expectation (or any part of it) names, row conditions included."""
    if isinstance(expectation, list):
        return set().union(*map(columns_of, expectation))
    if not isinstance(expectation, dict):
        return set()
    named: set[str] = set()
    for key, value in expectation.items():
        if key in ("column", "column_A", "column_B"):
            named.add(value["name"] if isinstance(value, dict) else value)
        elif key == "column_list":
            named.update(value)
        else:
            named |= columns_of(value)
    return named


def _great_expectations() -> ModuleType:
    """The library, imported late (seconds), without its telemetry and the deprecations of its own imports."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations
        import great_expectations.core.run_identifier
    return great_expectations


def _can_fail(expectation: Mapping[str, Any]) -> bool:
    kwargs = expectation["kwargs"]
    needed = next((keys for kind, keys in THRESHOLDS.items() if expectation["type"].endswith(kind)), ())
    bounded = not needed or any(kwargs.get(key) not in (None, []) for key in needed)
    return bounded and kwargs.get("mostly", 1) > 0


def _judge(gx: ModuleType, context: Any, suite: Mapping[str, Any], name: str, rows: pa.Table | Dataset) -> Verdict:
    expectations = suite["expectations"]
    frame = _asked(rows if isinstance(rows, Dataset) else dataset.dataset(rows), expectations)
    if not len(frame):
        # Rates of no rows are undefined; whether none may arrive is the row count's judgement.
        expectations = [one for one in expectations if one["type"] == ROW_COUNT]
    # A shop may have no values of a kind at all (no prices, say): their mean is undefined, and said to be so.
    expectations = [one for one in expectations if not (one["meta"].get("only_if_any") and _is_void(frame, one))]
    try:
        results = _run(gx, context, {**suite, "name": name, "expectations": expectations}, frame)
        failures = [failure for failure in map(_failure, results) if failure]
    except Exception as error:  # whatever crashes in a gate must block, not pass
        results, failures = [], [_crash("suite", "", error, "a gate that cannot judge lets nothing through")]
    if not results and not failures:
        failures = [_crash("suite", "", "no rows, and the suite does not say whether that is right", "fail closed")]
    failures.sort(key=lambda failure: (failure.severity, failure.expectation, failure.column))
    return Verdict(name, all(f.severity != "critical" for f in failures), len(results), tuple(failures))


def _asked(rows: Dataset, expectations: Iterable[Any]) -> pa.Table:
    """The columns that expectations name; at least one, or the rows could not be counted."""
    wanted = columns_of(list(expectations))
    return compact(rows, [name for name in rows.schema.names if name in wanted] or rows.schema.names[:1])


def _is_void(frame: pa.Table, expectation: Mapping[str, Any]) -> bool:
    return all(frame.column(name).null_count == len(frame) for name in _judged_columns(expectation["kwargs"]))


def _judged_columns(kwargs: Mapping[str, Any]) -> set[str]:
    """Columns an expectation is about; a row condition only chooses rows."""
    return columns_of({key: value for key, value in kwargs.items() if key != "row_condition"})


def _run(gx: ModuleType, context: Any, suite: Mapping[str, Any], frame: pa.Table) -> list[Any]:
    name = suite["name"]
    values = [_judged(column) for column in frame.columns]
    rows = pa.Table.from_arrays(values, names=frame.column_names).to_pandas(date_as_object=False)
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name=name,
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=context.suites.add(gx.ExpectationSuite(**suite)),
        )
    )
    report = definition.run(
        batch_parameters={"dataframe": rows},
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        run_id=gx.core.run_identifier.RunIdentifier(run_name="gate"),
    )
    context.data_sources.delete(name)  # lets go of the rows
    # The library leaves out, with no more than a log line, what it does not know or whose arguments are misspelt.
    asked, judged = (
        Counter(types)
        for types in (
            (one["type"] for one in suite["expectations"]),
            (one.expectation_config.type for one in report.results),
        )
    )
    if lost := asked - judged:
        raise ConfigError(f"{', '.join(sorted(lost))}: unknown, or its arguments are misspelt, and so left unjudged")
    return list(report.results)


def _judged(values: Any) -> Any:
    """A list column is judged by the lengths of its lists, any other by its values.

    Whole numbers and fractions are Python's own sizes: of others the library compares one value after the other.
    """
    values = pc.list_value_length(values) if pa.types.is_list(values.type) else values
    if pa.types.is_integer(values.type):
        return values.cast(pa.int64())
    return values.cast(pa.float64()) if pa.types.is_floating(values.type) else values


def _failure(result: Any) -> Failure | None:
    config = result.expectation_config
    kwargs, why = config.kwargs, config.meta["why"]
    column = ", ".join(sorted(_judged_columns(kwargs)))
    if crash := _exception(result.exception_info):
        return _crash(config.type, column, crash, why)
    if result.success:
        return None
    return Failure(config.type, column, config.severity.value, _observed(result.result), why)


def _exception(info: Mapping[str, Any]) -> str:
    """The message of an expectation that raised: either flat, or one entry a metric."""
    entries = [info] if "raised_exception" in info else info.values()
    return next((entry["exception_message"] or "it raised" for entry in entries if entry["raised_exception"]), "")


def _crash(expectation: str, column: str, error: object, why: str) -> Failure:
    words = (str(error).strip() or repr(error)).splitlines()[0][:300]
    return Failure(expectation, column, "critical", f"could not be judged: {words}", why)


def _observed(result: Mapping[str, Any]) -> str:
    if "unexpected_count" in result:
        share = (result.get("unexpected_percent") or 0.0) / 100
        return f"{result['unexpected_count']:,} of {result['element_count']:,} rows ({share:.2%} of those judged)"
    return f"observed {result.get('observed_value')}"
