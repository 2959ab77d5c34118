"""Files by Hadoop's file system: on the local disk, and where Python does not reach."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from interest_graph.filesystem import FileSystem, absolute, is_url, work_folder
from interest_graph.folders import LocalFolder, RemoteFolder, open_folder

NAME = "a folder, with: signs/a file=1 %20.txt"


@pytest.fixture(params=["local", "file", "remote"])
def root(request, tmp_path):
    """A folder of each kind."""
    if request.param != "remote":
        return {"local": "", "file": "file:"}[request.param] + str(tmp_path / "here")
    return request.getfixturevalue("remote")


@pytest.fixture
def hdfs(spark, remote):
    """A session whose default file system is not the local disk."""
    conf = spark._jsc.hadoopConfiguration()
    conf.set("fs.defaultFS", remote.removesuffix("/lake"))
    yield spark
    conf.set("fs.defaultFS", "file:///")


def test_a_small_file_is_replaced_and_nothing_else_stays(spark, root):
    files = FileSystem(spark)

    for content in (b"", b"old", b"new \x00\xff"):
        files.write(f"{root}/f/b.bin", content)

    assert files.read(f"{root}/f/b.bin") == content
    assert files.names(f"{root}/f") == ["b.bin"]


def test_a_file_of_any_size_goes_there_and_back(spark, root, tmp_path):
    source, target = tmp_path / NAME, tmp_path / "back again.bin"
    source.parent.mkdir()
    source.write_bytes(content := bytes(range(256)) * 4096)
    files = FileSystem(spark)

    for _ in range(2):
        files.upload(source, f"{root}/f/b.bin")
    files.download(f"{root}/f/b.bin", target)

    assert target.read_bytes() == content
    assert (source.exists(), files.names(f"{root}/f")) == (True, ["b.bin"])


def test_what_is_not_there_is_pythons_own_error(spark, root, tmp_path):
    files = FileSystem(spark)

    assert (files.exists(f"{root}/none"), files.names(f"{root}/none")) == (False, [])
    with pytest.raises(FileNotFoundError):
        files.read(f"{root}/none")
    with pytest.raises(FileNotFoundError):
        files.download(f"{root}/none", tmp_path / "copy")
    files.delete(f"{root}/none")


def test_a_folder_goes_with_all_that_it_holds(spark, root):
    files = FileSystem(spark)
    for name in ("x/a", "x/y/b", "z"):
        files.write(f"{root}/{name}", b"1")

    files.delete(f"{root}/x")

    assert files.names(root) == ["z"]


def test_a_file_system_without_an_atomic_rename_is_written_all_the_same(spark, remote):
    conf = spark._jsc.hadoopConfiguration()
    conf.set("fs.AbstractFileSystem.viewfs.impl", "no.such.Class")
    try:
        for content in (b"old", b"new"):
            FileSystem(spark).write(f"{remote}/f.bin", content)
    finally:
        conf.set("fs.AbstractFileSystem.viewfs.impl", "org.apache.hadoop.fs.viewfs.ViewFs")

    assert FileSystem(spark).read(f"{remote}/f.bin") == b"new"
    assert FileSystem(spark).names(remote) == ["f.bin"]


def test_a_path_without_a_scheme_is_a_local_one(spark, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert absolute(spark, "w/") == str(tmp_path / "w")
    assert absolute(spark, "s3a://lake/w/") == "s3a://lake/w"
    assert [is_url(path) for path in ("dbfs:/w", "/Volumes/c/s/v", "w")] == [True, False, False]


def test_on_a_cluster_it_is_one_of_the_default_file_system(hdfs, remote, tmp_path):
    assert absolute(hdfs, "/lake/w") == "/lake/w"
    assert absolute(hdfs, "w").startswith(remote.removesuffix("lake") + "user/")
    assert isinstance(open_folder(hdfs, "/lake/w"), RemoteFolder)

    FileSystem(hdfs).write("/lake/w/f.bin", b"1")
    hdfs.range(1).write.parquet("/lake/w/spark")

    assert FileSystem(hdfs).names(f"{remote}/w") == ["f.bin", "spark"]
    assert not Path("/lake").exists()


def test_work_files_lie_under_sparks_local_folder_and_go_with_their_user(spark, remote):
    local = Path(spark.conf.get("spark.local.dir"))
    folder = open_folder(spark, remote)
    folder.local(NAME).write_bytes(b"1")
    work = folder.local("x").parent

    assert work.is_relative_to(local)
    assert work_folder(spark).is_relative_to(local)
    del folder
    gc.collect()
    assert not work.exists()


def test_both_kinds_of_folder_hold_the_same(spark, root):
    folder = open_folder(spark, f"{root}/run")
    folder.local("r/a.bin").write_bytes(b"1")
    folder.put("r/a.bin")
    folder.write("b.txt", b"2")

    again = open_folder(spark, f"{root}/run")

    assert again.names() == ["b.txt", "r"]
    assert (again.fetch("r/a.bin").read_bytes(), again.read("b.txt")) == (b"1", b"2")
    again.delete("r")
    with pytest.raises(FileNotFoundError):
        again.fetch("r/a.bin")
    again.delete("b.txt")
    again.delete()
    assert (again.names(), open_folder(spark, f"{root}/run").names()) == ([], [])


def test_a_local_folder_is_used_in_place(spark, tmp_path):
    folder = open_folder(spark, f"{tmp_path}/x/../w")

    folder.local("a").write_text("1")

    assert folder == LocalFolder(tmp_path / "w")
    assert folder.local("a") == folder.fetch("a") == tmp_path / "w" / "a"
