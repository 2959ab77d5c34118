"""Patterns as Hadoop understands them, URIs as Java writes them, columns as Hive names folders."""

from __future__ import annotations

import os

import pytest

from interest_graph.errors import DataError
from interest_graph.events.path_patterns import (
    escaped,
    expanded,
    file_uri,
    folder_columns,
    has_wildcard,
    literal,
    name_matcher,
)


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("/in/a.csv", ["/in/a.csv"]),
        ("/in/{a,b}.csv", ["/in/a.csv", "/in/b.csv"]),
        ("/{a/1,b}/{x,y}", ["/a/1/x", "/a/1/y", "/b/x", "/b/y"]),
        ("{a,b{c,d}}", ["a", "bc", "bd"]),
        ("{a}{,b}", ["a", "ab"]),
        (r"\{a,b\}", [r"\{a,b\}"]),
        (r"{a\,b,c}", [r"a\,b", "c"]),
        ("[{]{a,b}", ["[{]a", "[{]b"]),
    ],
)
def test_braces_stand_for_each_of_their_texts(pattern, texts):
    assert expanded(pattern) == texts


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (
            "*.csv",
            [".csv", "2024-05-01T10:00:00.csv", "a b%#'[].csv", "日.csv"],
            ["a.csv.gz", "csv"],
        ),
        ("a?c", ["abc", "a:c", "a\nc"], ["ac", "abbc"]),
        ("[a-c]1", ["a1", "c1"], ["d1", "-1"]),
        ("[^a-c]1", ["d1"], ["a1", "b1"]),
        ("[!a]", ["b"], ["a"]),
        ("[.^]", [".", "^"], ["a"]),
        ("[]a]", ["]", "a"], ["b"]),
        (r"a\*[[]", ["a*["], ["ab["]),
        ("a+(b)|$", ["a+(b)|$"], ["aab"]),
    ],
)
def test_a_pattern_matches_whole_names(pattern, matching, others):
    matches = name_matcher(pattern).fullmatch

    assert [name for name in [*matching, *others] if matches(name)] == matching


@pytest.mark.parametrize("pattern", ["[abc", "[z-a]", "[]"])
def test_a_pattern_with_broken_brackets_is_an_error(pattern):
    with pytest.raises(DataError, match=r"^\["):
        name_matcher(pattern)


def test_a_brace_that_is_not_closed_is_an_error():
    with pytest.raises(DataError, match=r"^/in/\{a,b has a brace"):
        expanded("/in/{a,b")


@pytest.mark.parametrize("name", ["plain", "a*b", "[x]", "{a,b}", "back\\slash", "?"])
def test_an_escaped_name_stands_for_itself(name):
    assert not has_wildcard(escaped(name))
    assert literal(escaped(name)) == name
    assert name_matcher(escaped(name)).fullmatch(name)


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/in/2024-05-01T10:00:00.csv", "file:/in/2024-05-01T10:00:00.csv"),
        ("/in/a b%#?.csv", "file:/in/a%20b%25%23%3F.csv"),
        ("/in/[x]{y}\"'\\^`|<>", "file:/in/%5Bx%5D%7By%7D%22'%5C%5E%60%7C%3C%3E"),
        ("/in/日本é", "file:/in/日本é"),
        ("/in/no\u00a0break\u3000", "file:/in/no%C2%A0break%E3%80%80"),
        ("/in/a\tb\x7f", "file:/in/a%09b%7F"),
        ("/in/-_.!~*();/:@&=+$,", "file:/in/-_.!~*();/:@&=+$,"),
    ],
)
def test_uris_are_those_of_java(path, uri):
    assert file_uri(path) == uri


@pytest.mark.parametrize(
    ("path", "root", "columns"),
    [
        ("/in/dt=2024-05-01/hour=03/f.parquet", "/in", {"dt": "2024-05-01", "hour": "03"}),
        ("file:/in/dt=2024-05-01/f.parquet", "file:///in/", {"dt": "2024-05-01"}),
        ("s3a://b/x/dt=1/f", "s3a://b/x", {"dt": "1"}),
        ("/in/dt=1/f", "/in/*/*.parquet", {"dt": "1"}),
        ("/in/dt=1/f", "/in/dt=1", {}),
        ("/in/a=b.csv", "/in", {}),
        ("/x=1/in/f", "/x=1/in", {}),
        ("/in/plain/dt=1/other/f", "/in", {"dt": "1"}),
        ("/in/dt=__HIVE_DEFAULT_PARTITION__/f", "/in", {"dt": None}),
        ("/in/dt=/f", "/in", {"dt": ""}),
        ("/in/=1/f", "/in", {}),
        ("/in/q=a=b/f", "/in", {"q": "a=b"}),
        ("/in/p= a%3Ab&c%2Fd%2520/f", "/in", {"p": " a:b&c/d%20"}),
        ("file:/in/p=%20a%253Ab&c%252Fd%252520/f", "/in", {"p": " a:b&c/d%20"}),
        ("/in/my%20col=日本+1/f", "/in", {"my col": "日本+1"}),
        ("/data [1]/dt=1/f", r"/data \[1\]/", {"dt": "1"}),
    ],
)
def test_folders_in_the_way_of_hive_are_columns(path, root, columns):
    assert folder_columns(path, root) == columns


def test_a_relative_root_is_that_of_this_process_or_of_another_file_system():
    assert folder_columns(f"file:{os.getcwd()}/in/log/dt=1/f", "./in/log") == {"dt": "1"}
    assert folder_columns("hdfs://h/user/me/in/log/dt=1/f", "in/log/") == {"dt": "1"}
    assert folder_columns("/elsewhere/dt=1/f", "in/log") == {}
