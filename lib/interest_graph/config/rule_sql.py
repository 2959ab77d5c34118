"""Checks the SQL predicates of clean.rules before anything is read.

Rules are in DuckDB's SQL. Where Spark's differs, the message shows what to write: several functions
have the same name in both and mean different things.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# The typed columns that a predicate can name.
RULE_COLUMNS = {
    **dict.fromkeys(("source", "event_id", "user_id", "item_id", "action"), "VARCHAR"),
    "event_ts": "TIMESTAMP",
    "value": "DOUBLE",
    "user_agent": "VARCHAR",
    "payload": "VARCHAR",
}
_WEEKDAY = "isodow(event_ts), from 1 for Monday to 7"
_MATCHES = "regexp_matches(column, 'pattern')"
_PART = "split_part(column, '-', 1), counted from 1"
_FIELD = "payload->>'$.name'"
# Function of Spark that DuckDB lacks or understands in another way -> what to write.
_INSTEAD = {
    "concat": "a || b, or concat_ws('', a, b) to leave out nulls",
    "date_format": "strftime(event_ts, '%Y-%m-%d')",
    "dayofweek": _WEEKDAY,
    "endswith": "ends_with(column, 'text')",
    "get_json_object": _FIELD,
    "isnotnull": "column IS NOT NULL",
    "isnull": "column IS NULL",
    "json_tuple": _FIELD,
    "locate": "strpos(column, 'text')",
    "log": "ln(x) or log10(x)",
    "nvl": "coalesce(a, b)",
    "regexp": _MATCHES,
    "regexp_like": _MATCHES,
    "rlike": _MATCHES,
    "size": "len(list)",
    "split": _PART,
    "startswith": "starts_with(column, 'text')",
    "substring_index": _PART,
    "to_date": "CAST(column AS DATE)",
    "to_timestamp": "CAST(column AS TIMESTAMP)",
    "unix_micros": "epoch_us(event_ts)",
    "unix_timestamp": "epoch(event_ts)",
    "weekday": _WEEKDAY,
}
_NOT_OF_THE_RECORD = re.compile("current_|local(time|timestamp)$|getvariable$|getenv$")
_NO_CLOCK = "a rule depends on the record alone, not on clock, chance or session"


def check_predicate(must: str) -> str | None:
    """What is wrong with a predicate in DuckDB's SQL; None if it can be run on typed records."""
    import duckdb

    problem = _spark_syntax(must)
    if problem is not None:
        return problem
    db = _checker(os.getpid())
    tree = json.loads(_one_value(db, "SELECT json_serialize_sql($1)", [f"SELECT (\n{must}\n)"]))
    if tree["error"]:
        return f"is no SQL predicate of DuckDB ({tree['error_message'].splitlines()[0]})"
    if not _is_one_expression(tree["statements"]):
        return "must be one SQL expression"
    for problem in filter(None, map(_problem_of, _nodes(tree["statements"]))):
        return problem
    try:
        kind = _one_value(db, f"SELECT typeof((\n{must}\n)) FROM typed", [])
        db.execute(f"SELECT count(*) FROM typed WHERE (\n{must}\n)")
    except duckdb.Error as error:
        return _explained(str(error))
    return None if kind == "BOOLEAN" else f"must be true or false, not {kind}"


def rule_database() -> duckdb.DuckDBPyConnection:
    """A connection to a database in memory, with one thread and no access to files or network."""
    return _database(os.getpid()).cursor()


@lru_cache(maxsize=1)
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    # Once a process: it takes as long to open as a million records to check.
    import duckdb

    db = duckdb.connect(config={"threads": 1, "enable_external_access": False})
    db.execute("SET lock_configuration = true")
    return db


@lru_cache(maxsize=1)
def _checker(_process: int) -> duckdb.DuckDBPyConnection:
    db = rule_database()
    columns = ", ".join(f"{name} {kind}" for name, kind in RULE_COLUMNS.items())
    db.execute(f"CREATE TEMP TABLE records ({columns})")
    db.execute("INSERT INTO records (source) VALUES (NULL)")
    db.execute("CREATE TEMP VIEW typed AS FROM records")  # a table has a rowid as well
    return db


@lru_cache(maxsize=1)
def _unstable() -> frozenset[str]:
    """Functions whose result does not depend on their arguments alone."""
    query = "SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
    return frozenset(name for (name,) in rule_database().execute(query).fetchall())


def _one_value(db: duckdb.DuckDBPyConnection, query: str, values: list[str]) -> Any:
    row = db.execute(query, values).fetchone()
    return None if row is None else row[0]


def _spark_syntax(must: str) -> str | None:
    bare = re.sub(r"'(?:[^']|'')*'", "''", must)
    if "`" in bare:
        return "names stand in double quotes, not in backticks"
    if re.search(r"\b(rlike|regexp)\b", bare, re.IGNORECASE):
        return f"in DuckDB, there is no RLIKE: write {_MATCHES}"
    if "<=>" in bare:
        return "in DuckDB, there is no <=>: write IS NOT DISTINCT FROM"
    if r"\\" in must:
        return "in DuckDB, each backslash stands for itself: write \\d, not \\\\d"
    return None


def _is_one_expression(statements: list[dict[str, Any]]) -> bool:
    node = statements[0]["node"]
    return (
        len(statements) == 1
        and node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not any(node[part] for part in ("where_clause", "having", "qualify", "modifiers"))
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All expressions within a parsed statement."""
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)


def _problem_of(node: dict[str, Any]) -> str | None:
    kind = node["class"]
    if kind in ("SUBQUERY", "WINDOW", "STAR", "PARAMETER"):
        return f"a rule looks at one record at a time: {kind.lower()} is not possible"
    if kind == "COLUMN_REF" and _NOT_OF_THE_RECORD.match(node["column_names"][-1].lower()):
        return f"{node['column_names'][-1]}: {_NO_CLOCK}"
    if kind == "FUNCTION":
        return _problem_of_function(node["function_name"].lower(), node["children"])
    if node["type"] == "ARRAY_EXTRACT" and _constant(node["children"][1]) == 0:
        return "in DuckDB, the members of a list are counted from 1"
    return None


def _problem_of_function(name: str, arguments: list[dict[str, Any]]) -> str | None:
    if name in _INSTEAD:
        return f"{name} is missing from DuckDB or means something else: write {_INSTEAD[name]}"
    constants = [_constant(argument) for argument in arguments]
    if (
        name in _unstable()
        or _NOT_OF_THE_RECORD.match(name)
        or (name, len(arguments)) == ("age", 1)
    ):
        return f"{name}: {_NO_CLOCK}"
    if name in ("substring", "substr") and constants[1:2] == [0]:
        return f"{name} counts from 1, not from 0"
    if name == "regexp_extract" and len(arguments) == 2:
        return "regexp_extract gives the whole match: name the group as well, such as , 1)"
    if name == "regexp_replace" and len(arguments) == 3:
        return "regexp_replace replaces the first match only: write , 'g') for all"
    if name == "date_part" and constants[0] in ("dow", "dayofweek", "weekday"):
        return f"the number of the weekday is not Spark's: write {_WEEKDAY}"
    if name in ("~~", "!~~", "~~*", "!~~*") and "\\" in str(constants[1]):
        return r"in DuckDB, LIKE knows no backslash: add ESCAPE '\'"
    return None


def _constant(node: dict[str, Any]) -> Any:
    return node["value"].get("value") if node["class"] == "CONSTANT" else None


def _explained(error: str) -> str:
    """DuckDB's message on one line, with a hint where names cannot be found."""
    first = error.splitlines()[0]
    if "Referenced column" in first:
        known = ", ".join(RULE_COLUMNS)
        return f"cannot be run: {first} (texts stand in single quotes; columns: {known})"
    return f"cannot be run: {first}"
