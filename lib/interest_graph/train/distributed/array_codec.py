"""Named NumPy arrays of a shard as rows of a Spark table, and back, through Arrow buffers."""

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

# Far below the 2 GiB limit of an Arrow binary column: a sum reads one chunk of every shard at once.
CHUNK_BYTES = 2**20


def rows_per_chunk(array: np.ndarray) -> int:
    """Number of rows of `array` that fit one chunk; depends on its width and dtype only.

    So equal arrays of all shards have the same chunks, which can be added one by one.
    """
    return max(1, CHUNK_BYTES // max(1, array[:1].nbytes))


def pack(
    shard_key: int, shard_id: int, arrays: Mapping[str, np.ndarray]
) -> Iterator[pa.RecordBatch]:
    """Rows of PACKED_COLUMNS, one batch an array and one row a chunk of whole array rows.

    arrays: name -> array of one or two dimensions; column width: its columns, 0 for one dimension.
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
    """Rebuild (shard_key, shard_id, arrays) of each shard from PACKED_COLUMNS in any order."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received)
    order = [("shard_id", "ascending"), ("name", "ascending"), ("chunk", "ascending")]
    # Sorted without the data column: Arrow cannot take rows of a column above 2 GiB.
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
