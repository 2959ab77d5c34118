"""Which files a path stands for, whatever their names are."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.listing import list_local, list_paths

ODD = ["2024-05-01T10:00:00.csv", "a b.csv", "50%.csv", "#1.csv", "x[1].csv", "{y}.csv", "日本.csv"]
QUOTED = ["it's.csv", 'say "x".csv', "back\\slash.csv", "new\nline.csv", "a+b&c=d,e;f.csv"]


def make(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


def listed(pattern: str, folder: Path) -> list[str]:
    return sorted(os.path.relpath(entry.path, folder) for entry in list_local(pattern))


def source(path: object) -> SourceConfig:
    columns = {"user_id": "u", "item_id": "i", "action": "a", "event_time": "t"}
    return SourceConfig(name="log", path=str(path), columns=columns)


def test_files_of_any_name_are_found_by_their_folder_and_by_a_pattern(tmp_path):
    make(tmp_path, *ODD, *QUOTED)

    assert listed(str(tmp_path), tmp_path) == sorted([*ODD, *QUOTED])
    assert listed(f"{tmp_path}/*.csv", tmp_path) == sorted([*ODD, *QUOTED])
    assert listed(f"{tmp_path}/20*T10:00:0?.csv", tmp_path) == ODD[:1]


TREE = ["a/1.csv", "a/2.json", "a/b/3.csv", "c/1.csv", "c/_x.csv", "c/.y.csv", "_log/1.csv", ".h/1"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["a/1.csv", "a/2.json", "a/b/3.csv", "c/1.csv"]),
        ("*/", ["a/1.csv", "a/2.json", "a/b/3.csv", "c/1.csv"]),
        ("*/*.csv", ["a/1.csv", "c/1.csv"]),
        ("{a,c}/1.csv", ["a/1.csv", "c/1.csv"]),
        ("{a/b,c}/*.csv", ["a/b/3.csv", "c/1.csv"]),
        ("[ab]", ["a/1.csv", "a/2.json", "a/b/3.csv"]),
        ("./a/../c//1.csv", ["c/1.csv"]),
        ("{a,a/b}", ["a/1.csv", "a/2.json", "a/b/3.csv"]),
        ("_log", ["_log/1.csv"]),
        ("_l*", ["_log/1.csv"]),
        ("c/_x.csv", ["c/_x.csv"]),
        ("d/*", []),
        ("a/1.csv/*", []),
    ],
)
def test_a_pattern_stands_for_the_files_that_match_or_lie_below(tmp_path, pattern, names):
    make(tmp_path, *TREE)

    assert listed(f"{tmp_path}/{pattern}", tmp_path) == names


def test_a_name_with_brackets_is_found_without_escapes(tmp_path):
    make(tmp_path, "x[1].csv", "{y}.csv")

    assert listed(f"{tmp_path}/x[1].csv", tmp_path) == ["x[1].csv"]
    assert listed(rf"{tmp_path}/\{{y\}}.csv", tmp_path) == ["{y}.csv"]


def test_relative_paths_start_in_the_working_directory_whatever_its_name(tmp_path, monkeypatch):
    make(tmp_path / "runs [1]", "in/a.csv")
    monkeypatch.chdir(tmp_path / "runs [1]")

    assert listed("./in/*.csv", tmp_path) == ["runs [1]/in/a.csv"]


def test_links_are_followed_unless_they_lead_nowhere(tmp_path):
    make(tmp_path, "data/a.csv")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to(tmp_path / "data")
    (tmp_path / "in/gone").symlink_to(tmp_path / "nothing")

    assert listed(f"{tmp_path}/in", tmp_path) == ["in/link/a.csv"]


def test_a_name_that_is_not_utf8_is_an_error_that_shows_it(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")).touch()

    with pytest.raises(DataError, match=r"caf\\udce9\.csv has a name that is not UTF-8"):
        list_local(str(tmp_path))


def _listed(spark, path) -> list[str]:
    """The URIs that Spark's rows have, in the form of Hadoop's paths."""
    reader = spark.read.option("recursiveFileLookup", "true")
    uris = reader.text(str(path)).inputFiles()
    return sorted(uri.replace("file:///", "file:/", 1) for uri in uris)


def test_files_are_those_that_hadoop_lists_with_the_same_uris(spark, tmp_path):
    make(tmp_path, *TREE, *[name for name in [*ODD, *QUOTED] if ":" not in name])

    assert [file.path for file in list_paths(spark, source(tmp_path))] == _listed(spark, tmp_path)
    some = f"{tmp_path}/[a-c]/*.csv"
    assert [f.path for f in list_paths(spark, source(f"file://{some}"))] == _listed(spark, some)


def test_other_file_systems_are_listed_by_hadoop(spark, remote, tmp_path):
    make(tmp_path / "remote", *TREE, "in/a b%.csv", "in/2024-05-01T10:00:00.csv")

    files = list_paths(spark, source(f"{remote}/{{in,a}}/*.csv"))

    names = ["a/1.csv", "in/2024-05-01T10:00:00.csv", "in/a%20b%25.csv"]
    assert [file.path for file in files] == [f"{remote}/{name}" for name in names]
    assert [file.size_bytes for file in files] == [7, 26, 11]


def test_no_file_is_an_error_of_one_line(spark, remote, tmp_path):
    for path in (tmp_path / "no", f"{tmp_path}/*.csv", f"{remote}/no/*"):
        with pytest.raises(DataError, match=f"^source log: no file at {re.escape(str(path))}$"):
            list_paths(spark, source(path))


def test_a_file_system_that_does_not_answer_is_an_error_of_one_line(spark):
    with pytest.raises(DataError, match=r"^source log: nofs://x/y cannot be listed \([^\n]+\)$"):
        list_paths(spark, source("nofs://x/y"))
