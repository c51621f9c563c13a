"""Webhooks sent as fast as they are taken, or at a rate; and what processes cost while they work them off."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_S = 0.05


def get(url: str, data: bytes | None = None) -> Any:
    """The JSON that a local server answers with."""
    request = urllib.request.Request(url, data=data)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


@dataclass(frozen=True)
class Acknowledged:
    """Which orders' webhooks were answered with 2xx, and when; monotonic seconds."""

    began: float
    at: Mapping[int, float]
    sent_at: Mapping[int, float]


def post(
    url: str,
    orders: Sequence[int],
    body: Callable[[int], bytes],
    *,
    connections: int = 16,
    per_s: float | None = None,
) -> Acknowledged:
    """
    Send one webhook an order and wait for the answers; one that is refused is sent again, as shops do.

    Args:
        per_s: The rate at which they leave; None keeps every connection busy.
    """
    return asyncio.run(_post(url, orders, body, connections, per_s))


async def _post(
    url: str, orders: Sequence[int], body: Callable[[int], bytes], connections: int, per_s: float | None
) -> Acknowledged:
    parts = urlsplit(url)
    began = time.monotonic()
    waiting = iter(enumerate(orders))
    at: dict[int, float] = {}
    sent_at: dict[int, float] = {}

    async def one() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number, order in waiting:
            if per_s is not None:
                await asyncio.sleep(max(0.0, began + number / per_s - time.monotonic()))
            content = body(order)
            head = (
                f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(content)}\r\n\r\n"
            )
            sent_at[order] = time.monotonic()
            while True:
                writer.write(head.encode() + content)
                if await _status(reader) < 300:
                    break
                await asyncio.sleep(0.2)
            at[order] = time.monotonic()
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return Acknowledged(began, at, sent_at)


async def _status(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    if "transfer-encoding: chunked" in head:
        while length := int(await reader.readline(), 16):
            await reader.readexactly(length + 2)
        await reader.readline()
    else:
        _, found, rest = head.partition("content-length:")
        await reader.readexactly(int(rest.split("\r\n", 1)[0]) if found else 0)
    return int(head.split(" ", 2)[1])


def tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for each in found:
        found += parents.get(each, [])
    return found


def cpu_s(processes: Iterable[int]) -> float:
    """Seconds of the processor they took, those of their ended children included."""
    total = 0
    for process in processes:
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / TICKS


def memory_mb(processes: Iterable[int], what: str = "VmRSS") -> float:
    """Resident memory; `VmHWM` for the most it ever was. What processes share counts in each, but for `Pss`."""
    total = 0
    for process in processes:
        file = Path(f"/proc/{process}") / ("smaps_rollup" if what == "Pss" else "status")
        with suppress(OSError):
            for line in file.read_text().splitlines():
                if line.startswith(f"{what}:"):
                    total += int(line.split()[1])
    return total / 1024


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
