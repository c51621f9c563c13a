"""
An agent under a steady trade, and what its processes and its state folder take meanwhile: `python -m tests.campaign.soak 30`.

Judged is the second half, when everything that fills once has filled: memory and descriptors stay where they are, and the state
grows by what is kept of each event and by no more. What is kept goes after the days of `[retention]`, which the end shows.
"""

# ruff: noqa: T201 - a command tells
from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import linear_regression
from tempfile import TemporaryDirectory

from tests.campaign.chaos import INTEGRATION, assert_stand_once, chaos_ground
from tests.campaign.courier import Courier
from tests.e2e.ground import store, wait_until

from tagline.domain.environment import RetentionSection
from tagline.harness.scratch import Scratch
from tagline.runtime.retention import expire, used_bytes, whole

ROUND_S = 1.0
PLACED, CHANGED = 5, 5
"""Orders a round: new ones, and older ones that the merchant gives another status."""
STATUSES = (1, 2, 3, 6)
LOOK_EVERY_S = 2.0
TELL_EVERY_S = 60.0

MEMORY = 0.05
"""By how much the resident memory of a process may grow over the half, as a share of it; a fit, not two samples."""
DESCRIPTORS = 2.0
"""And its open descriptors."""
STATE_BYTES = 4_000
"""By how much the state folder may grow with an event: rows of the inbox, the journal and the engine."""
LEFT = 0.5
"""Share of the used pages that may be left once all that is over has expired: cross-references, cursors, names."""


@dataclass(frozen=True)
class Look:
    """One look at a running agent."""

    at_s: float
    resident: Mapping[str, int]
    """Bytes by process."""
    descriptors: Mapping[str, int]
    state: int
    """Bytes of the files in the state folder."""
    events: int
    """Acknowledged so far."""


def processes(root: int) -> Mapping[str, int]:
    """The agent and its children by what they are, with their process ids."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with _gone():
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    mine = [root]
    for pid in mine:
        mine += [child for child, parent in parents.items() if parent == pid]
    return {"agent": root} | {f"{_what(pid)}": pid for pid in mine[1:] if _what(pid)}


def _what(pid: int) -> str:
    with _gone():
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        return "worker" if any(word.endswith("worker_process") for word in words) else ""
    return ""


@contextmanager
def _gone() -> Iterator[None]:
    """A process may end, and a file be deleted, between being listed and being looked at."""
    try:
        yield
    except (FileNotFoundError, ProcessLookupError):
        return


def look(made: Scratch, at_s: float, events: int) -> Look:
    found = processes(made.agents["dev"].pid)
    page = os.sysconf("SC_PAGE_SIZE")
    state = 0
    for path in made.state("dev").rglob("*"):
        with _gone():
            state += path.stat().st_size if path.is_file() else 0
    return Look(
        at_s,
        {name: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for name, pid in found.items()},
        {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in found.items()},  # noqa: PTH208 - names alone
        state,
        events,
    )


@dataclass(frozen=True)
class Growth:
    """What one figure did over the half, by a straight line through all its looks; or what is left of it at the end."""

    what: str
    middle: float
    by: float
    most: float
    unit: str

    @property
    def is_flat(self) -> bool:
        return self.by <= self.most

    def __str__(self) -> str:
        verdict = "flat" if self.is_flat else "GROWS"
        return f"{self.what}: {self.middle:,.1f} {self.unit}, {self.by:+,.2f} (at most {self.most:,.2f}): {verdict}"


def judge(looks: Sequence[Look]) -> list[Growth]:
    """Growth of everything over the second half of the looks."""
    half = looks[len(looks) // 2 :]
    assert {tuple(each.resident) for each in half} == {("agent", "worker")}, "a process came or went"
    found = []
    for name in sorted(half[0].resident):
        middle, by = _fit((each.at_s, each.resident[name] / 1e6) for each in half)
        found.append(Growth(f"memory of the {name}", middle, by, middle * MEMORY, "MB"))
        middle, by = _fit((each.at_s, float(each.descriptors[name])) for each in half)
        found.append(Growth(f"descriptors of the {name}", middle, by, DESCRIPTORS, ""))
    middle, by = _fit((each.at_s, each.state / 1e6) for each in half)
    events = half[-1].events - half[0].events
    found.append(Growth(f"state with {events:,} events", middle, by, events * STATE_BYTES / 1e6, "MB"))
    return found


def _fit(points: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """A line's value in the middle, and by how much it rises from end to end."""
    xs, ys = zip(*points, strict=True)
    slope, start = linear_regression(xs, ys)
    return start + slope * (xs[0] + xs[-1]) / 2, slope * (xs[-1] - xs[0])


def trade(made: Scratch, courier: Courier, minutes: float) -> tuple[list[Look], list[int]]:
    """Orders and updates at a steady pace; the looks, and the orders that were placed."""
    shop, random = made.sandbox.shops["dev"], Random(3)
    looks: list[Look] = []
    placed: list[int] = []
    begin = time.monotonic()
    rounds = 0
    while (gone := time.monotonic() - begin) < minutes * 60:
        if gone >= rounds * ROUND_S:
            rounds += 1
            placed += shop.place_orders(PLACED, rounds)
            for order in random.sample(placed, CHANGED):
                shop.change_status(order, random.choice(STATUSES))
        if gone >= len(looks) * LOOK_EVERY_S:
            looks.append(look(made, gone, courier.acknowledged))
            if len(looks) % (TELL_EVERY_S // LOOK_EVERY_S) == 1:
                _tell(looks[-1])
        time.sleep(0.05)
    return looks, placed


def _tell(seen: Look) -> None:
    memory = ", ".join(f"{name} {each / 1e6:.1f} MB" for name, each in seen.resident.items())
    open_ = ", ".join(f"{name} {each}" for name, each in seen.descriptors.items())
    print(
        f"{seen.at_s / 60:5.1f} min  {seen.events:7,} events  {memory}  descriptors {open_}"
        f"  state {seen.state / 1e6:.1f} MB",
        file=sys.stderr,
        flush=True,
    )


def expired(made: Scratch, empty: int) -> Growth:
    """What is left beyond the empty tables once the days of `[retention]` are over, with no byte budget to press."""
    keep = RetentionSection()
    longest = max(keep.inbox_days, keep.effects_days, keep.letters_days, keep.seen_days)
    with store(made) as opened:
        before = used_bytes(opened.database) - empty
        whole(expire(opened.database, keep, datetime.now(UTC) + timedelta(days=longest + 1)))
        after = used_bytes(opened.database) - empty
    return Growth(
        "rows, then what is left of them after their days",
        before / 1e6,
        after / 1e6,
        LEFT * before / 1e6,
        "MB",
    )


def soak(minutes: float) -> list[Growth]:
    """The whole run; every order must stand as the shop has it at its end."""
    with (
        TemporaryDirectory(prefix="tagline-soak-") as folder,
        chaos_ground(Path(folder)) as made,
        Courier(made.sandbox.shops["dev"].webhooks) as courier,
    ):
        with store(made) as opened:
            empty = used_bytes(opened.database)
        looks, placed = trade(made, courier, minutes)
        with store(made) as opened:
            wait_until(
                lambda: not courier.waiting and not opened.counts(INTEGRATION)["received"],
                "nothing waits any more",
            )
        assert_stand_once(made, placed)
        made.stop_agent("dev")
        return [*judge(looks), expired(made, empty)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    found = soak(parser.parse_args().minutes)
    for each in found:
        print(each)
    return 0 if all(each.is_flat for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
