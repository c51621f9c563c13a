"""Worker processes as the agent holds them: started, spoken to line by line, drained, and killed when they will not end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from tagline.errors import (
    InconclusiveError,
    NotAuthorisedError,
    RefusedError,
    TaglineError,
    TryAgainError,
    UsageError,
)

ANSWER_S: Final = 60.0
"""Seconds for a worker to import its code and say hello, and again to open its engine and say that it has started."""
RESTART_MAX_S: Final = 60.0

Routes = Mapping[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True)
class Hello:
    """What a worker says of itself before it is given any work: its code imports and its settings are valid."""

    deployment: str
    closure: str
    """Digest of the deployment it loaded."""
    connections: tuple[str, ...]
    """Names the integration gives its connections."""
    routes: Routes
    """(connection, event) -> flows."""


class WorkerProcess(Protocol):
    """A worker as the agent sees it."""

    def hello(self) -> Hello:
        """Wait for its hello; raises what it failed with, or `worker-silent`."""
        ...

    def start(self) -> None:
        """Give it the work."""
        ...

    def started(self, timeout_s: float = ANSWER_S) -> None:
        """Wait until it has taken up the work; raises what it failed with, or `worker-silent`."""
        ...

    def wake(self) -> None:
        """Tell it that there may be work; never blocks."""
        ...

    def drain(self, timeout_s: float) -> bool:
        """Let it finish what it holds and wait for its exit; False when it had to be killed."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        ...

    @property
    def last_words(self) -> str:
        """What it said it failed with; empty when it said nothing."""
        ...


Spawn = Callable[[Path, Path, Callable[[Mapping[str, Any]], None]], WorkerProcess]
"""(directory of the deployment, folder of the state, what to do with a message or with `{"exited": code}`) -> the worker."""


def restart_delay_s(deaths: int) -> float:
    """Seconds to wait before the restart after that many deaths in a row: 1, 2, 4 … at most a minute."""
    return min(RESTART_MAX_S, 2.0 ** min(deaths - 1, 10))


def spawn(directory: Path, state: Path, on_message: Callable[[Mapping[str, Any]], None]) -> WorkerProcess:
    """
    Start `python -m tagline.runtime.worker_process` for one deployment; the environment, and with it the secrets, is inherited.

    Raises:
        TryAgainError: The process cannot be started (code `worker-not-started`).
    """
    # -P: the working directory is somebody's working copy, and nothing of it may be imported.
    command = [
        sys.executable,
        "-P",
        "-m",
        "tagline.runtime.worker_process",
        str(directory),
        "--state",
        str(state),
    ]
    try:
        # A session of its own: Ctrl-C in the agent's terminal must not end a batch in its middle; the agent drains.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise TryAgainError(
            f"the worker process cannot be started: {error.strerror or type(error).__name__}",
            code="worker-not-started",
            hint="look at memory and process limits of this machine",
        ) from error
    return WorkerHandle(process, on_message)


class WorkerHandle:
    """One worker process, its pipes, and a thread that reads what it says."""

    def __init__(
        self, process: subprocess.Popen[bytes], on_message: Callable[[Mapping[str, Any]], None]
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._on_message = on_message
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._said: dict[str, Any] = {}
        self._heard = threading.Condition()
        # A pipe full of wakes will wake it; waiting until there is room for one more would hold up the intake.
        os.set_blocking(self._stdin.fileno(), False)
        self._writing = threading.Lock()
        self._reader = threading.Thread(target=self._read, name=f"worker-{process.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def last_words(self) -> str:
        failed = self._said.get("failed")
        return f"{failed['message']} ({failed['code']})" if failed else ""

    def hello(self) -> Hello:
        said = self._wait_for("hello")
        return Hello(
            deployment=said["deployment"],
            closure=said["closure"],
            connections=tuple(said["connections"]),
            routes={(connection, event): tuple(flows) for connection, event, flows in said["routes"]},
        )

    def start(self) -> None:
        self._tell("start")

    def started(self, timeout_s: float = ANSWER_S) -> None:
        self._wait_for("started", timeout_s)

    def wake(self) -> None:
        self._tell("wake")

    def drain(self, timeout_s: float) -> bool:
        self._tell("drain")
        with self._writing:
            self._close_stdin()  # its end says drain as well, should the pipe have been full
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self._reader.join()
        return True

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        with self._writing:
            self._close_stdin()

    def _tell(self, line: str) -> None:
        with self._writing:
            if self._stdin.closed:
                return
            try:
                os.write(self._stdin.fileno(), f"{line}\n".encode())
            except (BlockingIOError, BrokenPipeError):
                return  # full of earlier wakes, or dead, which its exit code tells

    def _close_stdin(self) -> None:
        if not self._stdin.closed:
            self._stdin.close()

    def _read(self) -> None:
        with self._stdout:
            for line in self._stdout:
                message = _message(line)
                if message is None:
                    continue
                self._hear(message)
        self._hear({"exited": self._process.wait()})

    def _hear(self, message: Mapping[str, Any]) -> None:
        with self._heard:
            self._said.update(message)
            self._heard.notify_all()
        self._on_message(message)

    def _wait_for(self, word: str, timeout_s: float = ANSWER_S) -> Any:
        with self._heard:
            self._heard.wait_for(lambda: self._said.keys() & {word, "failed", "exited"}, timeout_s)
            said = dict(self._said)
        if word in said:
            return said[word]
        if "failed" in said:
            raise failure(said["failed"], self._process.wait())
        raise TryAgainError(
            f"the worker ended with exit code {said['exited']} before it said {word!r}"
            if "exited" in said
            else f"the worker did not say {word!r} in time",
            code="worker-silent",
            hint="its standard error, above, says more",
        )


def _message(line: bytes) -> Mapping[str, Any] | None:
    """One protocol line; anything else is dropped, since it could hold what must not be repeated."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


_KINDS: Final[Mapping[int, type[TaglineError]]] = {
    kind.exit_code: kind
    for kind in (TaglineError, UsageError, RefusedError, NotAuthorisedError, TryAgainError, InconclusiveError)
}


def failure(said: Mapping[str, Any], exit_code: int) -> TaglineError:
    """The error a worker ended with, of the kind its exit code names."""
    kind = _KINDS.get(exit_code, TaglineError)
    return kind(said["message"], code=said["code"], hint=said["hint"])
