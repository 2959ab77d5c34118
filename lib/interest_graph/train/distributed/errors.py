"""What goes wrong in a worker, as the error that the driver raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from interest_graph.errors import TrainingError

# A worker hands over the text of its traceback alone, which ends with the error.
_RAISED = re.compile(rf"{TrainingError.__name__}: (?:shard (\d+): )?(.+)")


@contextmanager
def worker_errors() -> Iterator[None]:
    """Re-raise a worker's TrainingError from a Spark job within the block, as one line."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        found = _RAISED.search(str(error))
        if found is None:
            raise
        shard_id = found.group(1)
        raise TrainingError(
            found.group(2).strip(), None if shard_id is None else int(shard_id)
        ) from None
