"""Errors of workers, which reach the driver as traceback text, as the errors they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from interest_graph.errors import TrainingError

_OF_A_SHARD = re.compile(rf"{TrainingError.__name__}: shard (\d+): (.+)")


@contextmanager
def naming_the_shard() -> Iterator[None]:
    """Re-raise a shard's TrainingError from a Spark job within the block, as one line."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        found = _OF_A_SHARD.search(str(error))
        if found is None:
            raise
        raise TrainingError(found.group(2).strip(), int(found.group(1))) from None
