"""A real S3 server (SeaweedFS) on this machine, and URIs in it."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import fsspec
import pytest

from ops.backing import free_ports
from pipeline.warehouse import bucket
from pipeline.warehouse.bucket import Bucket

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests-of-shopkeel"}
PATIENCE = 60  # seconds


@dataclass
class Server:
    """A running server; `environment` is what a client needs."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def new(self) -> str:
        """The URI of an empty place."""
        return f"s3://shops/{secrets.token_hex(4)}"

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes requests and answers none."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Start a server, wait until it takes objects, and end it."""
    s3, master, volume, filer = free_ports(4)
    ports = [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
    client = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3}", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", "-s3", *ports]
    here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-master.volumeSizeLimitMB=64"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([*command, *here], stdout=log, stderr=log, env=os.environ | KEYS)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in client.items():
                patch.setenv(name, value)
            _wait(process, folder / "server.log")
        yield Server(process, client)
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = monotonic() + PATIENCE
    while True:
        try:
            store, _ = fsspec.url_to_fs("s3://shops", skip_instance_cache=True)
            store.mkdir("shops")
            store.pipe_file("shops/ready", b"")
            return
        except Exception:
            if process.poll() is not None or monotonic() > give_up:
                raise AssertionError(f"no S3 server: {log.read_text(errors='replace')[-2000:]}") from None
            sleep(0.5)


@contextmanager
def client(server: Server) -> Iterator[Bucket]:
    """An empty bucket of the server's."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        patch.setitem(bucket.OPTIONS["s3"]["config_kwargs"], "read_timeout", 2)
        yield Bucket(server.new())
