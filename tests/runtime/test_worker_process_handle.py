"""A worker process as the agent holds it: real processes that speak the protocol, or fail to."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tagline.errors import TaglineError, TryAgainError, UsageError
from tagline.runtime.supervisor import WorkerHandle

HELLO = """
import json, sys
print(json.dumps({"hello": {"deployment": "orders-000001", "closure": "sha256:1", "connections": ["shop"],
      "routes": [["shop", "order-placed", ["a", "b"]]]}}), flush=True)
"""
SAYS_WHAT_IT_HEARS = HELLO + 'for line in sys.stdin: print(json.dumps({"heard": line.strip()}), flush=True)\n'
DEAF = HELLO + "import signal; signal.pause()\n"


class Watched:
    """A handle on a process that runs `program`, and everything it said."""

    def __init__(self, program: str) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.heard: list[Mapping[str, Any]] = []
        self.exited = threading.Event()
        self.handle = WorkerHandle(process, self._hear)

    def _hear(self, message: Mapping[str, Any]) -> None:
        self.heard.append(message)
        if "exited" in message:
            self.exited.set()


Start = Callable[[str], Watched]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Watched] = []

    def start(program: str) -> Watched:
        started.append(Watched(program))
        return started[-1]

    yield start
    for each in started:
        each.handle.kill()


def test_its_hello_tells_what_it_is(start: Start) -> None:
    hello = start(SAYS_WHAT_IT_HEARS).handle.hello()
    assert (hello.deployment, hello.closure, hello.connections) == ("orders-000001", "sha256:1", ("shop",))
    assert hello.routes == {("shop", "order-placed"): ("a", "b")}


def test_it_hears_every_order_and_drains_to_its_end(start: Start) -> None:
    watched = start(SAYS_WHAT_IT_HEARS)
    watched.handle.hello()
    watched.handle.start()
    watched.handle.wake()
    assert watched.handle.drain(10) is True
    assert [m["heard"] for m in watched.heard if "heard" in m] == ["start", "wake", "drain"]
    assert watched.heard[-1] == {"exited": 0}
    assert watched.handle.exit_code == 0


def test_what_is_no_protocol_is_dropped(start: Start) -> None:
    """An author's print must neither break the protocol nor be repeated."""
    watched = start("import os; os.write(1, b'card 4111\\n[1]\\n\\xff\\n')\n" + SAYS_WHAT_IT_HEARS)
    watched.handle.hello()
    watched.handle.drain(10)
    assert "4111" not in repr(watched.heard)


def test_its_failure_is_raised_with_its_kind_code_and_hint(start: Start) -> None:
    said = '{"failed": {"code": "secret-missing", "message": "no secret at env:X", "hint": "set X"}}'
    watched = start(f"import sys; print('{said}', flush=True); sys.exit(2)")
    with pytest.raises(UsageError) as raised:
        watched.handle.hello()
    assert (raised.value.code, raised.value.message, raised.value.hint) == (
        "secret-missing",
        "no secret at env:X",
        "set X",
    )
    assert watched.handle.last_words == "no secret at env:X (secret-missing)"


def test_an_end_without_a_word_is_told_with_its_exit_code(start: Start) -> None:
    with pytest.raises(TryAgainError, match="exit code 3") as raised:
        start("raise SystemExit(3)").handle.hello()
    assert raised.value.code == "worker-silent"


def test_a_death_between_hello_and_work_is_noticed(start: Start) -> None:
    watched = start(HELLO + "sys.stdin.readline(); sys.exit(6)")
    watched.handle.hello()
    watched.handle.start()
    with pytest.raises(TaglineError, match="exit code 6"):
        watched.handle.started()
    assert watched.exited.wait(5)


def test_waking_a_worker_that_does_not_listen_never_blocks(start: Start) -> None:
    """The intake wakes it from the thread that commits deliveries."""
    watched = start(DEAF)
    watched.handle.hello()
    for _ in range(50_000):
        watched.handle.wake()
    assert watched.handle.exit_code is None


def test_one_that_will_not_drain_is_killed(start: Start) -> None:
    watched = start(DEAF)
    watched.handle.hello()
    assert watched.handle.drain(0.05) is False
    assert watched.handle.exit_code == -9


def test_telling_the_dead_is_harmless(start: Start) -> None:
    watched = start("")
    assert watched.exited.wait(5)
    watched.handle.wake()
    assert watched.handle.drain(5) is True
    watched.handle.wake()
