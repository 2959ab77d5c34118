"""Files that Python workers open and write themselves, without the JVM.

Workers see what Spark's own tasks see: the local disk, which on a cluster must be shared, or an
object store by pyarrow's file systems, with the keys that Hadoop was given. Where neither reaches
(HDFS, a store whose credentials only Hadoop has), Spark reads and writes in their stead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_S3 = ("s3a", "s3", "s3n")
# What pyarrow knows too: keys in the configuration, in the environment, then the host's.
_KNOWN_PROVIDERS = (
    "SimpleAWSCredentialsProvider",
    "TemporaryAWSCredentialsProvider",
    "EnvironmentVariableCredentialsProvider",
    "IAMInstanceCredentialsProvider",
    "DefaultAWSCredentialsProviderChain",
)


@dataclass(frozen=True)
class WorkerFiles:
    """Opens files in a worker; small and picklable. scheme: file or s3; options: of pyarrow's."""

    scheme: str = "file"
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # may hold keys

    def open(self, path: str) -> BinaryIO:
        """The file for reading. path: plain, or a URI as Hadoop writes it, percent-encoded."""
        if self.scheme == "file":
            return Path(local_name(path)).open("rb")
        return cast("BinaryIO", self._system().open_input_file(_in_bucket(path)))

    def create(self, path: str) -> IO[bytes]:
        """A new file for writing; its folder need not be there. path: plain, not encoded."""
        if self.scheme == "file":
            place = Path(path.removeprefix("file://").removeprefix("file:"))
            place.parent.mkdir(parents=True, exist_ok=True)
            return place.open("wb")
        return cast("IO[bytes]", self._system().open_output_stream(path.split("://", 1)[1]))

    def _system(self) -> Any:
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(**self.options)


def local_name(path: str) -> str:
    """The local path behind a plain path or a file URI."""
    if not path.startswith("file:"):
        return path
    return unquote("/" + path.removeprefix("file:").lstrip("/"))


def worker_files(spark: SparkSession, path: str) -> WorkerFiles | None:
    """How workers reach the path; None where only Spark can, as always on Databricks."""
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return None
    jvm: Any = spark._jvm
    conf = spark._jsc.hadoopConfiguration()
    place = jvm.org.apache.hadoop.fs.Path(path)
    default = jvm.org.apache.hadoop.fs.FileSystem.getDefaultUri(conf).getScheme()
    scheme = str(place.toUri().getScheme() or default)
    if scheme == "file":
        return WorkerFiles()
    if scheme in _S3:
        bucket = str(place.toUri().getHost() or "")
        return _s3_files({key: _s3_setting(conf, bucket, key) for key in _S3_KEYS}, bucket)
    return None


_S3_KEYS = (
    "access.key",
    "secret.key",
    "session.token",
    "endpoint",
    "endpoint.region",
    "path.style.access",
    "connection.ssl.enabled",
    "aws.credentials.provider",
    "server-side-encryption-algorithm",
    "encryption.algorithm",
)


def _s3_setting(conf: Any, bucket: str, key: str) -> str | None:
    """The value of a setting; what is set for the bucket alone goes before what is set for all."""
    own: str | None = conf.get(f"fs.s3a.bucket.{bucket}.{key}")
    common: str | None = conf.get(f"fs.s3a.{key}")
    return own or common


def _s3_files(given: Mapping[str, str | None], bucket: str) -> WorkerFiles | None:
    """pyarrow's options from those of fs.s3a; None where they say what pyarrow does not know."""
    providers = (given["aws.credentials.provider"] or "").replace(",", " ").split()
    is_encrypted = given["encryption.algorithm"] or given["server-side-encryption-algorithm"]
    if not bucket or is_encrypted or any(not p.endswith(_KNOWN_PROVIDERS) for p in providers):
        return None
    endpoint = given["endpoint"] or ""
    plain = endpoint.startswith("http://") or given["connection.ssl.enabled"] == "false"
    options = {
        "access_key": given["access.key"],
        "secret_key": given["secret.key"],
        "session_token": given["session.token"],
        "endpoint_override": endpoint.split("://")[-1] or None,
        "region": given["endpoint.region"] or ("us-east-1" if endpoint else None),
        "scheme": "http" if plain else "https",
        "force_virtual_addressing": bool(endpoint) and given["path.style.access"] != "true",
    }
    return WorkerFiles("s3", {key: value for key, value in options.items() if value is not None})


def _in_bucket(path: str) -> str:
    return unquote(path.split("://", 1)[1])
