"""The packaged sentence encoder, without Spark."""

from __future__ import annotations

import numpy as np
import pytest

from interest_graph.errors import EnvironmentProblem
from interest_graph.features.encoder import PACKAGED, encode, encoder_folder, load_encoder


def test_vectors_have_unit_length_and_know_what_is_alike():
    texts = ["a cat sleeps", "a kitten naps", "the stock market fell"]

    vectors = encode(texts, load_encoder(PACKAGED), batch_size=2)

    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_the_encoder_is_loaded_once_a_process():
    assert load_encoder(PACKAGED) is load_encoder(PACKAGED)


def test_a_folder_of_an_encoder_is_taken_as_it_is():
    folder = encoder_folder(PACKAGED)

    assert encoder_folder(folder) == folder


@pytest.mark.parametrize("encoder", ["/no/such/folder", "nobody/no-such-model"])
def test_an_encoder_that_cannot_be_loaded_is_one_clear_line(encoder):
    with pytest.raises(EnvironmentProblem, match=f"features.encoder {encoder} cannot") as caught:
        load_encoder(encoder)

    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("interest_graph.features.encoder.find_spec", lambda _: None)

    with pytest.raises(EnvironmentProblem, match=f"install the Python package {PACKAGED}"):
        encoder_folder(PACKAGED)
