"""Named NumPy arrays as rows of a Spark table, and back, by Arrow buffers alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from interest_graph.arrays import Arrays

PACKED_COLUMNS = """
    shard_key INT NOT NULL, shard_id INT NOT NULL, name STRING NOT NULL, chunk INT NOT NULL,
    dtype STRING NOT NULL, width INT NOT NULL, data BINARY NOT NULL"""

_SCHEMA = pa.schema(
    [
        ("shard_key", pa.int32()),
        ("shard_id", pa.int32()),
        ("name", pa.string()),
        ("chunk", pa.int32()),
        ("dtype", pa.string()),
        ("width", pa.int32()),
        ("data", pa.binary()),
    ]
)

# Far below the 2 GiB of one Arrow binary column, even with every shard's chunk in one group.
CHUNK_BYTES = 2**20


def rows_per_chunk(array: np.ndarray) -> int:
    """Rows of `array` that fit one chunk; the same for every array of that width and type."""
    return max(1, CHUNK_BYTES // max(1, array[:1].nbytes))


def pack(
    shard_key: int, shard_id: int, arrays: Mapping[str, np.ndarray]
) -> Iterator[pa.RecordBatch]:
    """One batch of PACKED_COLUMNS an array, split into chunks of whole rows.

    arrays: name -> array of one or two dimensions (width 0 stands for one).
    """
    for name, array in arrays.items():
        step = rows_per_chunk(array) if len(array) else 1
        pieces = [array[start : start + step] for start in range(0, max(1, len(array)), step)]
        n = len(pieces)
        columns = [
            pa.array([shard_key] * n, pa.int32()),
            pa.array([shard_id] * n, pa.int32()),
            pa.array([name] * n, pa.string()),
            pa.array(range(n), pa.int32()),
            pa.array([array.dtype.str] * n, pa.string()),
            pa.array([array.shape[1] if array.ndim == 2 else 0] * n, pa.int32()),
            pa.array([np.ascontiguousarray(piece).tobytes() for piece in pieces], pa.binary()),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def unpack(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, int, Arrays]]:
    """(shard_key, shard_id, arrays) for each shard among the rows, whatever their order."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received)
    order = [("shard_id", "ascending"), ("name", "ascending"), ("chunk", "ascending")]
    # The keys are sorted without the data column, which may be larger than 2 GiB in all.
    keys = table.drop_columns(["data"])
    positions = pa.compute.sort_indices(keys, sort_keys=order)
    buffers = [value.as_buffer() for value in table.column("data")]
    shards: dict[tuple[int, int], dict[str, list[np.ndarray]]] = {}
    for position, row in zip(positions.to_pylist(), keys.take(positions).to_pylist(), strict=True):
        piece = np.frombuffer(buffers[position], dtype=row["dtype"])
        pieces = shards.setdefault((row["shard_key"], row["shard_id"]), {})
        shaped = piece.reshape(-1, row["width"]) if row["width"] else piece
        pieces.setdefault(row["name"], []).append(shaped)
    for (shard_key, shard_id), named in shards.items():
        yield shard_key, shard_id, {name: _joined(pieces) for name, pieces in named.items()}


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
