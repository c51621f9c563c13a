"""Files that say which process has something to itself; the system lets go of them however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Final

AGENT: Final = "agent.lock"
"""In an environment's state folder: held by the agent that works there."""


def take(path: Path) -> IO[str] | None:
    """The file, locked until it is closed and with our process in it; None where another process has it."""
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle


def holder(path: Path) -> int | None:
    """The process that has the file, None where nobody has."""
    try:
        with path.open() as handle:
            told = handle.read().strip()
            # Only a file that names a living process is tried: trying takes it, for a moment.
            if not told.isdigit() or not _lives(int(told)):
                return None
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(told)
    except OSError:
        return None
    return None


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
