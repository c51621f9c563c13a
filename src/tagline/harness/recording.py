"""Recording: a flow runs once for a few real records, and what was said becomes a cassette and a corpus, scrubbed and proved."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from tagline.alm import corpus, environments
from tagline.connectors import connect, json_values
from tagline.connectors.budgets import governor_for
from tagline.connectors.shift4shop.models.product import lifted
from tagline.domain.environment import Connection, EntraConnection
from tagline.domain.exchange import Connector, Key, Matches, Row
from tagline.domain.model import Model
from tagline.domain.query import Query
from tagline.errors import RefusedError, UsageError
from tagline.flow.drive import drive
from tagline.flow.shadow import ShadowDriver
from tagline.flow.usage import usage_of
from tagline.harness import scenario as scenarios
from tagline.harness.cassettes import LOGIN_HOST, Cassette, Interaction, RecordingTransport, dump
from tagline.harness.places import Place
from tagline.harness.pseudonyms import Pseudonyms, leaks, only_declared, rewriter
from tagline.integration import Integration

NEUTRAL: Final = {
    "shift4shop": "https://shop.example",
    "dataverse": "https://crm.example",
    "finance": "https://erp.example",
}
"""Origins of the remotes in a cassette, by system."""
RENAMED: Final[Mapping[str, str | None]] = {
    "private_key": "env:REPLAY",
    "token": "env:REPLAY",
    "access_token": None,
    "webhook_token": "env:REPLAY",
    "client_secret": "env:REPLAY",
    "certificate": None,
    "assertion": None,
    "expires": None,
    "store_url": "https://store.example",
    "tenant": "replay",
    "client_id": "replay",
    "authority": f"https://{LOGIN_HOST}",
    "ca_file": "",
}
"""
What of a connection's configuration would tell whose it is, and what stands for it in a cassette.

However a connection signs in, its replay does with a secret or with keys: sign-in is no part of a recording.
"""


@dataclass(frozen=True)
class Recording:
    """What was written where."""

    cassette: Path
    corpus: Path
    outcomes: Mapping[str, str]
    interactions: int


@dataclass
class _Session:
    """One recording under way."""

    integration: Integration
    place: Place
    secrets: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.config = self.place.config
        self.clock = self.place.clock
        self.pseudonyms = Pseudonyms(self.place.pseudonym_key)

    def secret(self, reference: str) -> str:
        value = self.place.secret(reference)
        self.secrets.add(value)
        return value

    def connections(self) -> dict[str, Connection]:
        """Configuration by the integration's own names."""
        section = self.config.integrations.get(self.integration.name)
        named = section.connections if section else {}
        found = {n: self.config.connections[named.get(n, n)] for n in self.integration.connections}
        # Who sets a tenant up has no part in what a flow does, and nothing to seek in a cassette.
        return {
            n: c.model_copy(update={"deploy": None}) if isinstance(c, EntraConnection) else c
            for n, c in found.items()
        }


def record(
    root: Path,
    integration: Integration,
    place: Place,
    *,
    scenario: str,
    keys: Sequence[str],
    last: int,
) -> Recording:
    """
    Run a flow live for some records, and keep the traffic.

    Personal values are replaced as they arrive, so that the flow writes pseudonyms; that is why an environment must allow
    recording (`policy.recording`). Nothing is kept unless the scrub is proved on the very bytes that would be written.

    Args:
        root: Top of the repository; files go under `fixtures/<integration>/`.
        scenario: Name of the files.
        keys: Records to run; none takes the newest ones.
        last: How many of the newest.

    Raises:
        RefusedError: Something that must not be kept would be (code `recording-leaks`).
        UsageError: There is no record to run (`nothing-to-record`), or the configuration does not fit the integration.
    """
    environments.check_settings(place.config, integration)
    session, config = _Session(integration, place), place.config
    flow = scenarios.only_flow(integration)
    section = config.integrations.get(integration.name)
    settings = integration.settings.model_validate(dict(section.settings) if section else {})
    if place.earlier:
        with _Connected(session, read_only=False, recorded=False) as connected:
            scenarios.run(
                integration, scenarios.Scenario(flow, place.earlier, settings), connected.connectors
            )
        place.meanwhile()
    chosen = scenarios.check_keys(keys) or _newest(session, flow.source, last)
    if not chosen:
        raise UsageError(
            f"there is no record of {flow.source.__name__} to run",
            code="nothing-to-record",
            where={"environment": config.environment},
            hint="place an order, or name records with --key",
        )
    rows, queries = _look(session, scenarios.Scenario(flow, chosen, settings))
    outcomes, tape = _run(session, scenarios.Scenario(flow, chosen, settings))
    cassette = dump(
        Cassette(tuple(tape), _scenario(session, flow.name, settings.model_dump(mode="json"), outcomes))
    )
    recorded = corpus.to_json(_raw_records(session, flow.name, flow.source, tape, chosen), rows, queries)
    _prove(session, {"cassette": cassette, "corpus": recorded})
    folder = root / "fixtures" / integration.name
    made = Recording(
        folder / "cassettes" / f"{scenario}.yaml", folder / "corpus" / f"{scenario}.json", outcomes, len(tape)
    )
    _write(made.cassette, cassette)
    _write(made.corpus, recorded)
    return made


def _newest(session: _Session, model: type[Model], last: int) -> tuple[str, ...]:
    with _Connected(session, read_only=True) as connected:
        return tuple(connected.by_system()[model.remote.system].recent(model, last))


def _look(session: _Session, scenario: scenarios.Scenario) -> tuple[corpus.Rows, corpus.Queries]:
    """What the flow reads of the targets before it writes: the corpus's rows, and which of them its queries find."""
    with _Connected(session, read_only=True) as connected:
        systems = connected.by_system()
        readers = {kind: _Noting(each) for kind, each in systems.items()}
        fetched = systems[scenario.flow.source.remote.system].fetch(scenario.flow.source, scenario.keys)
        drive(scenario.flow, fetched.records, scenario.settings, ShadowDriver(readers))
    rows = {place: row for reader in readers.values() for place, row in reader.rows.items()}
    return rows, {query: keys for reader in readers.values() for query, keys in reader.queries.items()}


def _run(session: _Session, scenario: scenarios.Scenario) -> tuple[dict[str, str], list[Interaction]]:
    with _Connected(session, read_only=False) as connected:
        outcomes, _ = scenarios.run(session.integration, scenario, connected.connectors)
        return outcomes, connected.transport.interactions


class _Noting:
    """A reader that remembers every row it was asked for."""

    def __init__(self, inner: Connector) -> None:
        self._inner = inner
        self.rows: dict[tuple[type[Model], Key], Row | None] = {}
        self.queries: dict[Query, Sequence[Key]] = {}

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        found = self._inner.read(model, keys, names)
        for key in keys:
            self._note(model, key, found.get(key))
        return found

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        found = self._inner.children(model, parent, parent_ids, [*names, parent])
        for rows in found.values():
            for row in rows:
                self._note(model, row.key, row)
        return found

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        # Every column that a query uses is kept, so that a narrower one can be answered from the same rows.
        found = self._inner.query([replace(query, columns=query.used) for query in asked])
        for query, answer in zip(asked, found, strict=True):
            if not query.is_void:
                self.queries[replace(query, columns=())] = [row.key for row in answer.rows]
            for row in answer.rows:
                self._note(query.model, row.key, row)
        return found

    def _note(self, model: type[Model], key: Key, row: Row | None) -> None:
        known = self.rows.get((model, key))
        if row is not None and known is not None:
            row = Row(row.key, row.id, row.etag, {**known.values, **row.values})
        self.rows[model, key] = row or known


class _Connected:
    """The integration's connectors over one transport, recording unless told otherwise."""

    def __init__(self, session: _Session, *, read_only: bool, recorded: bool = True) -> None:
        self._session = session
        self._read_only = read_only
        self._recorded = recorded

    def __enter__(self) -> Self:
        session, configs = self._session, self._session.connections()
        origins = {_origin(c.url): NEUTRAL[c.system] for c in configs.values()} if self._recorded else {}
        self.transport = RecordingTransport(session.place.network(), origins, _Rewrite(session))
        number = itertools.count(1)
        self.connectors = {
            name: connect(
                name,
                config,
                clock=session.clock,
                secrets=session.secret,
                transport=self.transport,
                read_only=self._read_only,
                governor=governor_for(config, session.clock, one_by_one=True),
                # Counted, so that recording again differs only where the code does.
                new_id=lambda: f"{next(number):08d}",
            )
            for name, config in configs.items()
        }
        return self

    def __exit__(self, *_: object) -> None:
        for connector in self.connectors.values():
            connector.close()
        self.transport.close()

    def by_system(self) -> dict[str, Connector]:
        return {self._session.integration.connections[n].kind: each for n, each in self.connectors.items()}


class _Rewrite:
    """Body rewriting of one session: declared fields only, people as pseudonyms, no secrets."""

    def __init__(self, session: _Session) -> None:
        integration = session.integration
        self._sources = {f.source.remote.system: f.source for f in integration.flows.values()}
        models = {*self._sources.values(), *(m.target for m in integration.mappings.values())}
        models |= {child for source in self._sources.values() for child in _children(source)}
        # What a flow only looks up is of people, too.
        models |= set(usage_of(integration.flows.values()).tables)
        self._values = rewriter(models, session.pseudonyms)

    def __call__(self, origin: str, kind: str, text: str) -> str:
        source = next((self._sources.get(s) for s, o in NEUTRAL.items() if o == origin), None)
        if kind.startswith("multipart/"):
            return "\r\n".join(
                self._json(line, None) if line.startswith("{") else line for line in text.split("\r\n")
            )
        return self._json(text, source) if "json" in kind and text.strip() else text

    def _json(self, text: str, source: type[Model] | None) -> str:
        try:
            value = json_values.parse(text)
        except ValueError:
            return text
        if source is not None and isinstance(value, list):
            value = [only_declared(v, source) if _is_record(v, source) else v for v in value]
        return json_values.dump(self._values(value))


def _is_record(value: Any, source: type[Model]) -> bool:
    return isinstance(value, Mapping) and source.remote.primary_id in lifted(value)


def _children(model: type[Model]) -> set[type[Model]]:
    found = set()
    for info in model.model_fields.values():
        args = getattr(info.annotation, "__args__", ())
        found |= {a for a in args if isinstance(a, type) and issubclass(a, Model)}
    return found


def _scenario(
    session: _Session, flow: str, settings: Mapping[str, Any], outcomes: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "schema": 1,
        "flow": flow,
        "environment": session.config.environment,
        "at": session.clock.now().isoformat(),
        "settings": dict(settings),
        "connections": {
            name: {**config.model_dump(mode="json"), **_renamed(config)}
            for name, config in session.connections().items()
        },
        "outcomes": dict(outcomes),
    }


def _renamed(config: Connection) -> dict[str, str | None]:
    neutral = NEUTRAL[config.system] + urlsplit(config.url).path
    return {"url": neutral, **{k: v for k, v in RENAMED.items() if k in type(config).model_fields}}


def _raw_records(
    session: _Session, flow: str, model: type[Model], tape: Sequence[Interaction], keys: Sequence[str]
) -> list[corpus.Recorded]:
    """The source records as they were answered, by key, each once."""
    origin = NEUTRAL[model.remote.system]
    config = next(c for c in session.connections().values() if c.system == model.remote.system)
    context = {n: str(getattr(config, n)) for n in ("time_zone", "currency") if hasattr(config, n)}
    found: dict[str, Mapping[str, Any]] = {}
    for interaction in tape:
        if interaction.method == "GET" and interaction.url.startswith(origin):
            for record in _records(interaction.response_body, model):
                found.setdefault(str(lifted(record)[model.remote.primary_id]).strip(), record)
    return [corpus.Recorded(flow, key, model.__name__, found[key], context) for key in keys if key in found]


def _records(body: bytes, model: type[Model]) -> list[Mapping[str, Any]]:
    try:
        value = json.loads(body)
    except ValueError:
        return []
    return [v for v in value if _is_record(v, model)] if isinstance(value, list) else []


def _prove(session: _Session, texts: Mapping[str, str]) -> None:
    found = [
        f"{what}: {leak}"
        for what, text in texts.items()
        for leak in leaks(text, secrets=session.secrets, originals=session.pseudonyms.originals)
    ]
    if found:
        raise RefusedError(
            "the recording would keep what must not be kept: " + "; ".join(dict.fromkeys(found)),
            code="recording-leaks",
            where={"integration": session.integration.name, "environment": session.config.environment},
            hint="mark the column that holds it as personal or secret in its model; nothing was written",
        )


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
