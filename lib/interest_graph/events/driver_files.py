"""Opens files on the driver, wherever Hadoop finds them."""

from __future__ import annotations

import io
from functools import partial
from typing import Any, BinaryIO, cast

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from interest_graph.events.readers.source_bytes import OpenFile, open_local
from interest_graph.worker_files import worker_files


def opener(spark: SparkSession, path: str) -> OpenFile:
    """How the driver opens files of the file system of `path`."""
    access = worker_files(spark, path)
    if access is not None and access.scheme == "file":
        return open_local
    return partial(_open_by_hadoop, spark)


def _open_by_hadoop(spark: SparkSession, path: str) -> BinaryIO:
    """Raises OSError with Hadoop's message."""
    jvm: Any = spark._jvm
    place = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(path))
    try:
        stream = place.getFileSystem(spark._jsc.hadoopConfiguration()).open(place)
    except Py4JJavaError as error:
        raise OSError(str(error.java_exception.toString())) from None
    return cast("BinaryIO", io.BufferedReader(_HadoopStream(stream), 1 << 16))


class _HadoopStream(io.RawIOBase):
    """A Java input stream; bytes come through the gateway, so it is for the heads of files."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            content = bytes(self._stream.readNBytes(len(buffer)))
        except Py4JJavaError as error:
            raise OSError(str(error.java_exception.toString())) from None
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
