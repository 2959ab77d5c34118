"""What a task does with its part of the files of users, items or social edges.

No Spark here: records come in, rows of task_rows go out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from interest_graph.config import SourceConfig
from interest_graph.events import task_rows
from interest_graph.events.attribute_rows import shape_rows

ROWS, REFUSED = "rows", "refused"


def shape_records(
    read: Iterable[tuple[str, str, pa.Table]], _task: str, *, sources: Mapping[str, SourceConfig]
) -> Iterator[pa.RecordBatch]:
    """Rows (with file and position) and refused records of source, file, records; a summary.

    The summary counts records by file (`ingest`) and refused ones by reason (`reasons`).
    """
    counted: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for source, file, records in read:
        shaped = shape_rows(records, sources[source])
        counted[file] += records.num_rows
        if shaped.rows.num_rows:
            yield task_rows.packed(task_rows.labelled(shaped.rows, file=file), ROWS, 0)
        if shaped.refused.num_rows:
            reasons.update(shaped.refused["reasons"].combine_chunks().flatten().to_pylist())
            kind = sources[source].kind
            refused = task_rows.labelled(shaped.refused, file=file, source=source, kind=kind)
            yield task_rows.packed(refused, REFUSED, 0)
    yield task_rows.summary({"ingest": dict(counted), "reasons": dict(reasons)}, 0)
