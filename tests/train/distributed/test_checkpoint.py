"""A round counts once it is recorded; rounds of other settings are not resumed."""

from __future__ import annotations

import numpy as np
import pytest

from interest_graph.folders import LocalFolder, open_folder
from interest_graph.train.distributed.checkpoint import Checkpoints


def commit(checkpoints, number):
    checkpoints.commit({number: {"items": np.full(3, float(number))}}, {"last": number})


def test_the_last_committed_round_is_resumed(tmp_path):
    checkpoints = Checkpoints(LocalFolder(tmp_path / "run"), "settings")
    assert checkpoints.resume() is None

    for number in range(3):
        commit(checkpoints, number)

    assert checkpoints.resume()["last"] == 2
    np.testing.assert_array_equal(checkpoints.items(2)["items"], [2, 2, 2])


def test_other_settings_start_afresh(tmp_path):
    old = Checkpoints(LocalFolder(tmp_path / "run"), "old")
    old.resume()
    commit(old, 4)

    assert Checkpoints(LocalFolder(tmp_path / "run"), "new").resume() is None
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b'{"last": 4, "finger', b"[]", b"\xff"])
def test_an_unreadable_record_is_no_progress(tmp_path, content):
    checkpoints = Checkpoints(LocalFolder(tmp_path / "run"), "settings")
    commit(checkpoints, 4)
    (tmp_path / "run" / "progress.json").write_bytes(content)

    assert checkpoints.resume() is None
    assert not (tmp_path / "run").exists()


def test_an_unrecorded_round_is_not_resumed(tmp_path):
    checkpoints = Checkpoints(LocalFolder(tmp_path / "run"), "settings")
    checkpoints.resume()
    commit(checkpoints, 1)
    (tmp_path / "run" / "round-00002" / "shards").mkdir(parents=True)

    assert checkpoints.resume()["last"] == 1


def test_only_needed_rounds_are_kept(tmp_path):
    checkpoints = Checkpoints(LocalFolder(tmp_path / "run"), "settings")
    checkpoints.resume()
    for number in range(5):
        commit(checkpoints, number)

    checkpoints.forget_all_but(4, 1)

    left = sorted(path.name for path in (tmp_path / "run").glob("round-*"))
    assert left == ["round-00001", "round-00004"]


def test_rounds_at_a_url_are_resumed_by_another_process(spark, remote):
    first = Checkpoints(open_folder(spark, f"{remote}/run"), "settings")
    assert first.resume() is None
    for number in range(3):
        commit(first, number)
    first.forget_all_but(2, 1)

    second = Checkpoints(open_folder(spark, f"{remote}/run"), "settings")

    assert second.resume()["last"] == 2
    np.testing.assert_array_equal(second.items(1)["items"], [1, 1, 1])
    assert second.shards_path(2) == f"{remote}/run/round-00002/shards"
    with pytest.raises(FileNotFoundError):
        second.items(0)
