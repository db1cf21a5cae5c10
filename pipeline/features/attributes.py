"""Attribute expressions over user profiles, such as `department = 'PASTRY' and price_band = 'value'`.

A library parses the text; what it may say is a short list of attributes, comparisons and `and`, `or`, `not`. Nothing is
ever handed to a database: the tree is worked out here over columns, so no expression can do more than choose users.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from pipeline.errors import ConfigError

# Attribute: column of user_profiles.
NUMBERS = {
    "recency_days": "recency_days",
    "baskets_90d": "baskets_90d",
    "spend_cents_90d": "spend_cents_90d",
    "rhythm_days": "rhythm_days",
}
WORDS = {"price_band": "price_band", "segment": "segment", "usual_weekday": "usual_weekday"}
SETS = {"department": "category_affinities", "category": "category_affinities", "brand": "brand_affinities"}
ATTRIBUTES = {**NUMBERS, **WORDS, **SETS}
COMPARISONS: Mapping[type[exp.Expr], Callable[[Any, Any], Any]] = {
    exp.EQ: operator.eq, exp.NEQ: operator.ne, exp.GT: operator.gt, exp.GTE: operator.ge, exp.LT: operator.lt,
    exp.LTE: operator.le,
}  # fmt: skip
LONGEST, DEEPEST = 1000, 60


def parse(text: str) -> exp.Expr:
    """An expression, checked.

    Raises:
        ConfigError: it is none, or says something that is not allowed.
    """
    where = f"attributes '{text[:60]}'"
    if len(text) > LONGEST:
        raise ConfigError(f"{where}: longer than {LONGEST:,} characters; split it into several audiences")
    try:
        found = sqlglot.parse(text, error_level=sqlglot.ErrorLevel.RAISE)
    except (SqlglotError, RecursionError) as error:
        raise ConfigError(
            f"{where}: not an expression; write such as department = 'TEA' and baskets_90d > 3"
        ) from error
    if len(found) != 1 or found[0] is None:
        raise ConfigError(f"{where}: not one expression")
    try:
        evaluate(found[0], {name: pa.nulls(0) for name in ATTRIBUTES.values()})
    except _NotAllowed as refused:
        raise ConfigError(f"{where}: {refused}; attributes are {', '.join(ATTRIBUTES)}") from refused
    return found[0]


def evaluate(tree: exp.Expr, profiles: Mapping[str, Any], depth: int = 0) -> np.ndarray:
    """Who an expression holds for: bool [U]; unknown values hold for nothing but `not`.

    Args:
        tree: from `parse`.
        profiles: columns of user_profiles [U].
        depth: of the tree so far.
    """
    if depth > DEEPEST:
        raise _NotAllowed("nested too deeply")
    if isinstance(tree, exp.Paren):
        return evaluate(tree.this, profiles, depth + 1)
    if isinstance(tree, exp.Not):
        return ~evaluate(tree.this, profiles, depth + 1)
    if isinstance(tree, (exp.And, exp.Or)):
        left, right = (evaluate(side, profiles, depth + 1) for side in (tree.this, tree.expression))
        return left & right if isinstance(tree, exp.And) else left | right
    if isinstance(tree, exp.In) and not tree.args.get("query") and tree.expressions:
        return np.logical_or.reduce([_compare(exp.EQ, tree.this, one, profiles) for one in tree.expressions])
    if isinstance(tree, exp.Between):
        low, high = (
            _compare(kind, tree.this, tree.args[end], profiles) for kind, end in ((exp.GTE, "low"), (exp.LTE, "high"))
        )
        return low & high
    if type(tree) in COMPARISONS:
        return _compare(type(tree), tree.this, tree.expression, profiles)
    raise _NotAllowed(f"'{tree.key}' may not stand in it")


class _NotAllowed(Exception):
    """What an expression may not say."""


def _compare(kind: type[exp.Expr], left: exp.Expr, right: exp.Expr, profiles: Mapping[str, Any]) -> np.ndarray:
    name = left.name.lower() if isinstance(left, exp.Column) and not left.table else ""
    if name not in ATTRIBUTES:
        raise _NotAllowed(f"'{left.sql()[:40]}' is no attribute")
    value, values = _literal(right), profiles[ATTRIBUTES[name]].to_pylist()
    if (name in NUMBERS) != isinstance(value, float):
        raise _NotAllowed(f"{name} is compared with {'numbers' if name in NUMBERS else 'quoted words'}")
    if name not in NUMBERS and kind not in (exp.EQ, exp.NEQ):
        raise _NotAllowed(f"{name} is only equal or not")
    compare = COMPARISONS[kind]
    if name in SETS:
        has = np.array([any(str(one["name"]).lower() == value for one in row or []) for row in values], bool)
        return has if kind is exp.EQ else ~has
    if name in WORDS:
        values = [None if one is None else str(one).lower() for one in values]
    return np.array([one is not None and bool(compare(one, value)) for one in values], bool)


def _literal(tree: exp.Expr) -> float | str:
    if isinstance(tree, exp.Neg) and isinstance(tree.this, exp.Literal) and not tree.this.is_string:
        return -float(tree.this.this)
    if isinstance(tree, exp.Literal):
        return str(tree.this).lower() if tree.is_string else float(tree.this)
    raise _NotAllowed(f"'{tree.sql()[:40]}' is no number and no quoted word")
