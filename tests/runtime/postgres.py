"""A PostgreSQL server of the tests' own: started when the first test asks, on a free port of the loopback, thrown away at the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

START_S = 60.0


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, where this machine has them; Debian keeps them off the PATH."""
    on_path = shutil.which("postgres")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


class Cluster:
    """A cluster on disk, and its server while it runs; every start listens on the same port."""

    def __init__(self, found: Path, folder: Path, *, durable: bool = False) -> None:
        self._durable = durable
        self._found = found
        self._folder = folder
        # PostgreSQL refuses to run as root.
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(folder, self._user)
        subprocess.run(
            [
                found / "initdb",
                "-D",
                folder / "data",
                "-U",
                "tagline",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=folder,
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.url = f"postgresql://tagline@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = {
            "port": self._port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        command = [self._found / "postgres", "-D", self._folder / "data", *settings]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, cwd=self._folder
            )
        _wait(self.url, self._process, self._folder / "log")

    def stop(self) -> None:
        """As an administrator does who does not wait for those who are connected."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        self._process = None


@contextmanager
def cluster(found: Path, *, durable: bool = False) -> Iterator[Cluster]:
    """A new cluster that nobody has started yet; see `server`."""
    folder = Path(tempfile.mkdtemp(prefix="tagline-postgres-"))
    try:
        made = Cluster(found, folder, durable=durable)
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server(found: Path, *, durable: bool = False) -> Iterator[str]:
    """
    Run a server; gives the address of a database in it, `postgresql://…`.

    Args:
        durable: Commits wait for the disk, as where something is kept; tests need not.
    """
    with cluster(found, durable=durable) as made:
        made.start()
        yield made.url


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=2).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
