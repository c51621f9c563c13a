"""The page at the sandbox's front: what every site holds, what it was asked, what is armed. No credential stands on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Protocol

from tagline.sandbox.door import CONTROL, Door
from tagline.sandbox.values import Request, Response

LAST_CALLS = 12
REFRESH_S = 5
_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1d2430}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin:2rem 0 .5rem;border-bottom:1px solid #ccd3dd}"
    "h3{font-size:1rem;margin:1rem 0 .3rem}table{border-collapse:collapse}td,th{padding:.1rem .9rem .1rem 0;"
    "text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".bad{color:#a1260d}.quiet{color:#667}section{display:flex;flex-wrap:wrap;gap:0 3rem}code{font-size:.9em}"
)


class Site(Protocol):
    """Anything that answers requests."""

    def handle(self, request: Request) -> Response: ...


@dataclass(frozen=True)
class Holding:
    """Rows of one table."""

    table: str
    count: int
    page: str
    """Control page that lists them, empty where there is none."""


@dataclass(frozen=True)
class Shown:
    """One site as the page shows it."""

    title: str
    origin: str
    door: Door
    holds: Sequence[Holding] = ()
    remarks: Sequence[str] = ()
    """What else there is to say, such as webhooks on their way."""


class Front:
    """What stands at the sandbox's first address: this page at `/`, and behind it the login."""

    def __init__(self, login: Site, page: Callable[[], Response]) -> None:
        self._login = login
        self._page = page

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        if request.path in ("", "/") and request.method in ("GET", "HEAD"):
            return self._page()
        return self._login.handle(request)


def front_page(groups: Mapping[str, Sequence[Shown]], seed: int) -> Response:
    """The page as one HTML document that loads nothing from anywhere and refreshes itself."""
    body = "".join(
        f"<h2>{escape(name)}</h2><section>{''.join(map(_site, sites))}</section>"
        for name, sites in groups.items()
    )
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>tagline sandbox</title>'
        f'<meta http-equiv="refresh" content="{REFRESH_S}"><style>{_STYLE}</style></head><body>'
        f'<h1>tagline sandbox</h1><p class="quiet">Seed {seed}. Refreshes every {REFRESH_S} seconds. '
        f"What can be done here stands in the sandbox guide.</p>{body}</body></html>"
    )
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    )
    return Response(200, headers, text.encode())


def _site(site: Shown) -> str:
    with site.door.lock:
        calls = list(islice(reversed(site.door.log), LAST_CALLS))
        made, faults = len(site.door.log), list(_armed(site.door))
    rows = "".join(_held(site.origin, held) for held in site.holds if held.count)
    asked = "".join(
        f'<tr><td class="{"bad" if call.status >= 400 else ""}">{call.status}</td>'
        f"<td><code>{escape(call.method)} {escape(call.path)}</code></td></tr>"
        for call in calls
    )
    remarks = "".join(f"<p>{escape(text)}</p>" for text in (*site.remarks, *faults))
    return (
        f'<div><h3>{escape(site.title)}</h3><p class="quiet"><code>{escape(site.origin)}</code></p>'
        f"{f'<table>{rows}</table>' if rows else ''}{remarks}"
        f'<p><a href="{escape(site.origin + CONTROL)}log">{made} calls</a>{", the last first:" if calls else ""}</p>'
        f"<table>{asked}</table></div>"
    )


def _held(origin: str, held: Holding) -> str:
    name = escape(held.table)
    shown = f'<a href="{escape(origin + CONTROL + held.page)}">{name}</a>' if held.page else name
    return f'<tr><td class="n">{held.count:,}</td><td>{shown}</td></tr>'


def _armed(door: Door) -> Iterator[str]:
    faults = door.faults
    waiting = [kind.value for index, kind in sorted(faults.planned.items()) if index >= faults.calls]
    if waiting:
        yield f"Faults to come: {', '.join(waiting[:10])}{' …' if len(waiting) > 10 else ''}"
    if faults.rate:
        yield f"Faults at random: {faults.rate:.0%} of calls, {', '.join(kind.value for kind in faults.kinds)}"
