"""
One release, run over a corpus in a process of its own: prints what it would write, as JSON.

    python -m tagline.alm.replay_child <code> <corpus> <settings as JSON> [<library>...]

Two releases of one package cannot live in one process, and neither may reach a network.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tagline.alm import corpus as corpora
from tagline.alm.corpus import Corpus, Recorded
from tagline.domain.model import Model, Ref
from tagline.domain.settings import Settings
from tagline.errors import InconclusiveError, TaglineError
from tagline.flow.declare import Flow
from tagline.flow.drive import drive
from tagline.flow.effects import Verb
from tagline.flow.shadow import Intention, RecordedReader, ShadowDriver
from tagline.integration import load


def replay(code: Path, corpus: Corpus, settings: dict[str, Any], libraries: Sequence[Path]) -> dict[str, Any]:
    """Each record's ending and intended fields, by `<flow>/<key>`; values only as digests."""
    integration = load(code, libraries)
    typed = integration.settings.model_validate(settings)
    systems = {s.kind for s in integration.connections.values()}
    return {
        f"{r.flow}/{r.key}": _run(integration.flows[r.flow], r, typed, corpus, systems)
        if r.flow in integration.flows
        else {"code": "flow-gone", "inconclusive": False, "fields": {}}
        for r in corpus.records
    }


def _run(
    flow: Flow, recorded: Recorded, settings: Settings, corpus: Corpus, systems: set[str]
) -> dict[str, Any]:
    try:
        source: Model = corpora.source_record(recorded, flow.source)
    except (ValueError, LookupError):
        return {"code": "record-malformed", "inconclusive": False, "fields": {}}
    reader = RecordedReader(corpus.rows, corpus.queries)
    driver = ShadowDriver(dict.fromkeys(systems, reader))
    try:
        error = drive(flow, {recorded.key: source}, settings, driver)[recorded.key].error
    except TaglineError as raised:
        error = raised
    return {
        "code": error.code if error else "",
        "inconclusive": isinstance(error, InconclusiveError),
        "fields": dict(f for i in driver.intentions for f in _fields(i)),
    }


def _fields(intention: Intention) -> list[tuple[str, str]]:
    """`entity|key|field` -> digest of the value it would get; a transition and a removal are fields, too."""
    row = f"{intention.entity}|{_digest(intention.key)}"
    if intention.verb is Verb.EXPECT:
        return [(f"{row}|expected {n}", _digest(after)) for n, (_, after) in intention.changes.items()]
    if intention.action:
        return [(f"{row}|{intention.action}", _digest({n: a for n, (_, a) in intention.changes.items()}))]
    if intention.kind is not None and intention.kind.value == "delete":
        return [(f"{row}|removed", "")]
    return [(f"{row}|{n}", _digest(after)) for n, (_, after) in intention.changes.items()]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Equal values look equal: 1.0 and 1.00, one instant in two zones."""
    match value:
        case Decimal():
            return str(value.normalize() + 0)
        case datetime():
            return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
        case Ref():
            return {"ref": value.model.__name__, "key": _plain(value.key)}
        case tuple() | list():
            return [_plain(v) for v in value]
        case dict():
            return {str(k): _plain(v) for k, v in value.items()}
        case None | bool() | int() | float() | str():
            return value
    return str(value)


def _refuse_network(event: str, _args: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.bind"):
        raise PermissionError("a replay reaches no network")


def main() -> None:
    """Print one JSON object: `records`, or `failed` with code, message and hint."""
    sys.addaudithook(_refuse_network)
    code, corpus, settings, *libraries = sys.argv[1:]
    try:
        result = {
            "records": replay(
                Path(code), corpora.read(Path(corpus)), json.loads(settings), [Path(p) for p in libraries]
            )
        }
    except TaglineError as error:
        result = {"failed": {"code": error.code, "message": error.message, "hint": error.hint}}
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
