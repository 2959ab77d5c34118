"""An S3 server on loopback, with one bucket, and the session's settings for it."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

VENV = Path(__file__).parents[2] / ".venv-s3"
BUCKET = "lake"


@dataclass(frozen=True)
class Server:
    """The server's address, and what the tests ask of it without a client of S3."""

    url: str

    @property
    def settings(self) -> dict[str, str]:
        """Hadoop's settings, without the prefix that Spark's have."""
        return {
            "fs.s3a.endpoint": self.url,
            "fs.s3a.path.style.access": "true",
            "fs.s3a.connection.ssl.enabled": "false",
            "fs.s3a.directory.marker.retention": "keep",
            "fs.s3a.aws.credentials.provider": (
                "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
            ),
            "fs.s3a.access.key": "key",
            "fs.s3a.secret.key": "text",
        }

    def call(self, method: str, path: str, content: bytes | None = None) -> bytes:
        """The answer to a request."""
        request = Request(f"{self.url}/{path}", content, method=method)
        request.add_header("Content-Type", "application/octet-stream")
        request.add_header("Authorization", "AWS key:text")  # looked at only after reset-auth
        with urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def keys(self, prefix: str) -> list[str]:
        """The first thousand objects of the bucket under a prefix."""
        listing = self.call("GET", f"{BUCKET}?list-type=2&prefix={prefix}").decode()
        return re.findall("<Key>([^<]+)</Key>", listing)

    def get(self, key: str) -> bytes:
        """The content of an object; empty where there is none."""
        try:
            return self.call("GET", f"{BUCKET}/{key}")
        except HTTPError as error:
            if error.code != 404:
                raise
            return b""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the bucket."""
    if not (VENV / "bin" / "moto_server").exists():
        pytest.fail(f"no S3 server in {VENV.name}: run make setup-s3")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [VENV / "bin" / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    log = tmp_path_factory.mktemp("s3") / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield _answering(Server(f"http://127.0.0.1:{port}"), process)
    finally:
        process.kill()
        process.wait()


def _answering(server: Server, process: subprocess.Popen[bytes]) -> Server:
    """The server, once it has made the bucket."""
    deadline = time.monotonic() + 60
    while True:
        try:
            server.call("PUT", BUCKET)
            return server
        except URLError:
            assert process.poll() is None, "the S3 server ended"
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def s3(spark: Any, server: Server) -> Any:
    """The tests' session, which reads and writes the bucket at s3a://lake."""
    for key, value in server.settings.items():
        spark._jsc.hadoopConfiguration().set(key, value)
    return spark
