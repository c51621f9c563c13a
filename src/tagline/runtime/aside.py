"""A thread for what may hang, such as asking a server nobody waits for: one call at a time, looked after by whoever gave it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from tagline.errors import TaglineError, TryAgainError


class Aside:
    """
    Makes calls beside the caller, who gives one, looks later whether it ended, and is never kept waiting.

    The thread ends with the process: a call that hangs for ever holds nothing up but those behind it.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[TaglineError | None] = queue.SimpleQueue()
        self._name = name
        self._thread: threading.Thread | None = None
        self.is_busy = False
        """Whether a call was given whose end nobody has looked at."""

    def call(self, what: Callable[[], None]) -> None:
        """Make a call as soon as the one before it ended."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self.is_busy = True
        self._calls.put(what)

    def ended(self, timeout_s: float | None = 0.0) -> tuple[bool, TaglineError | None]:
        """Whether the call has ended, and with what; asked once a call."""
        try:
            error = self._ended.get(timeout=timeout_s) if timeout_s else self._ended.get_nowait()
        except queue.Empty:
            return False, None
        self.is_busy = False
        return True, error

    def _run(self) -> None:
        while True:
            what = self._calls.get()
            try:
                what()
            except TaglineError as error:
                self._ended.put(error)
            except Exception as error:  # noqa: BLE001 - its text may hold an address with a secret; the type may be told
                self._ended.put(
                    TryAgainError(
                        f"it failed on a {type(error).__name__}",
                        code="remote-unreachable",
                        hint="check the address and the network",
                    )
                )
            else:
                self._ended.put(None)
