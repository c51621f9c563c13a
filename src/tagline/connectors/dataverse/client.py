"""Dataverse as a connector: keyed reads and conditional writes, a hundred of them in one request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import ValidationError

from tagline.clock import Clock
from tagline.connectors.dataverse.auth import SignIn
from tagline.connectors.dataverse.batch import MAX_PARTS, Part, PartAnswer, answers_of, build, requests_of
from tagline.connectors.dataverse.wire import (
    LOOKUP_ANNOTATION,
    address,
    fields_of,
    from_wire,
    is_guid,
    select,
)
from tagline.connectors.dataverse.writes import ROOT, error_of, outcome_of, part_of
from tagline.connectors.dispositions import DATAVERSE, to_error
from tagline.connectors.governor import Governor, Pace, SlidingWindow
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.messages import Answer, Call, Limits, is_plain_read, retry_after_s
from tagline.domain.environment import DataverseConnection
from tagline.domain.exchange import Change, Changes, Fetched, Key, Outcome, Request, Row, Write
from tagline.domain.model import Model
from tagline.errors import Disposition, RecordError, TryAgainError, UsageError

T = TypeVar("T")

REQUESTS: Final = 6000
WINDOW_S: Final = 300.0
MAX_IN_FLIGHT: Final = 20
"""Requests at a time, of the 52 the remote allows a user."""

ANNOTATIONS: Final = f'odata.include-annotations="{LOOKUP_ANNOTATION}"'
ODATA: Final = {"OData-MaxVersion": "4.0", "OData-Version": "4.0", "Accept": "application/json"}


class DataverseClient:
    """
    One organisation behind one connection; see `tagline.domain.exchange.Connector` for its verbs.

    Its webhooks and change tracking are not used yet: it is written to and read by key.
    """

    def __init__(
        self,
        name: str,
        config: DataverseConnection,
        *,
        clock: Clock,
        secrets: Callable[[str], str],
        new_id: Callable[[], str],
        transport: Transport | None = None,
        read_only: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._name = name
        self._url = config.url.rstrip("/")
        self._clock = clock
        self._new_id = new_id
        governor = Governor(clock, Pace(SlidingWindow(REQUESTS, WINDOW_S)), MAX_IN_FLIGHT)
        policy = Policy(
            urls=(config.url, config.authority),
            governor=governor,
            is_read=lambda call: _is_read(call, config.authority),
            read_only=read_only,
            ca_file=config.ca_file,
            limits=limits or Limits(),
        )
        self._http = Http(policy, clock, transport)
        self._sign_in = SignIn(
            self._http,
            authority=config.authority,
            tenant=config.tenant,
            client_id=config.client_id,
            client_secret=secrets(config.client_secret),
            resource=self._url,
        )

    def close(self) -> None:
        """Let go of the network."""
        self._http.close()

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        """Read whole rows by their primary id."""
        names = tuple(fields_of(model))
        asked: dict[Key, str] = {((model.remote.primary_id, key),): key for key in keys}
        records: dict[str, Model] = {}
        malformed: dict[str, tuple[Mapping[str, str], ...]] = {}
        for key, row in self.read(model, list(asked), names).items():
            try:
                records[asked[key]] = model.model_validate(dict(row.values))
            except ValidationError as error:
                malformed[asked[key]] = tuple(
                    {"field": ".".join(map(str, found["loc"])), "reason": found["msg"]}
                    for found in error.errors(include_input=False, include_url=False, include_context=False)
                )
        return Fetched(records, malformed)

    def recent(self, model: type[Model], count: int) -> Sequence[str]:
        """Refused: rows are not listed by age yet."""
        raise self._not_supported("a list of the newest records")

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """
        Read rows by key, a hundred in one request.

        A key that cannot be addressed, for example a blank one, is the key of no row and so absent; writing by it
        fails for that write alone.
        """
        asked: list[tuple[Key, Part]] = []
        for key in dict.fromkeys(keys):
            try:
                row = address(model, key)
            except RecordError:
                continue
            asked.append((key, _get(f"{ROOT}/{row}?$select={select(model, names)}")))
        rows: dict[Key, Row] = {}
        for chunk in _chunks(asked):
            for (key, _), answer in zip(chunk, self._reads([p for _, p in chunk]), strict=True):
                if not _is_absent(answer):
                    rows[key] = self._row(model, key, self._object(answer, model), names)
        return rows

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        """Read the rows below each parent, a hundred parents in one request; a parent that is no id has none."""
        lookup = fields_of(model)[parent].select
        own = model.remote.keys[0] if model.remote.keys else ()
        wanted = tuple(dict.fromkeys((*names, *own)))
        found: dict[str, list[Row]] = {parent_id: [] for parent_id in parent_ids}
        for chunk in _chunks([p for p in found if is_guid(p)]):
            parts = [
                _get(
                    f"{ROOT}/{model.remote.collection}?$select={select(model, wanted)}"
                    f"&$filter={quote(f'{lookup} eq {parent_id}')}"
                )
                for parent_id in chunk
            ]
            for parent_id, answer in zip(chunk, self._reads(parts), strict=True):
                for page in self._pages(model, answer):
                    found[parent_id] += [self._child(model, raw, own, names, wanted) for raw in page]
        return found

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        """Refused: change tracking is not used yet."""
        raise self._not_supported("a sweep")

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """
        Make the writes in their order, up to a hundred in one request, each for itself.

        Raises:
            TaglineError: A batch failed as a whole, of whatever code: what became of its writes, and of those in the
                batches before it, has to be read.
        """
        outcomes: dict[int, Outcome] = {}
        sendable: list[tuple[int, Part]] = []
        for place, write in enumerate(writes):
            try:
                sendable.append((place, part_of(write)))
            except RecordError as error:
                outcomes[place] = Outcome(
                    error.disposition, write.id, code=error.code, message=error.message, hint=error.hint
                )
        for chunk in _chunks(sendable):
            for (place, _), answer in zip(chunk, self._batch([p for _, p in chunk]), strict=True):
                outcomes[place] = outcome_of(writes[place], answer, self._retry_after(answer))
        return [outcomes[place] for place in range(len(writes))]

    def hint(self, request: Request) -> Sequence[Change]:
        """Refused: webhooks are not used yet."""
        raise self._not_supported("a webhook")

    def subscribe(self, events: Sequence[str], url: str) -> Sequence[str]:
        """Refused: webhooks are not used yet."""
        raise self._not_supported("a webhook")

    def probe(self) -> str:
        """Ask who we are."""
        told = self._get_json(f"{ROOT}/WhoAmI", "asking who we are")
        return f"{self._url} knows us as user {told.get('UserId', 'without id')}"

    def describe(self, model: type[Model]) -> Mapping[str, Any]:
        """Type, rights and lengths of the table's columns, and its alternate keys with their state."""
        table = f"{ROOT}/EntityDefinitions(LogicalName='{model.remote.entity}')"
        attributes = "LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate"
        told = self._get_json(
            f"{table}?$select=LogicalName,EntitySetName,PrimaryIdAttribute"
            f"&$expand=Attributes($select={attributes}),Keys($select=KeyAttributes,EntityKeyIndexStatus)",
            f"reading the schema of {model.remote.entity}",
        )
        return {
            "entity": told.get("LogicalName"),
            "collection": told.get("EntitySetName"),
            "primary_id": told.get("PrimaryIdAttribute"),
            "columns": {
                a["LogicalName"]: {
                    "type": a.get("AttributeType"),
                    "create": a.get("IsValidForCreate"),
                    "update": a.get("IsValidForUpdate"),
                }
                for a in _objects(told.get("Attributes"))
                if "LogicalName" in a
            },
            "keys": [
                {"columns": k.get("KeyAttributes"), "status": k.get("EntityKeyIndexStatus")}
                for k in _objects(told.get("Keys"))
            ],
        }

    def _row(self, model: type[Model], key: Key, raw: Mapping[str, Any], names: Sequence[str]) -> Row:
        row_id = raw.get(model.remote.primary_id)
        if not isinstance(row_id, str):
            self._malformed(model)
        return Row(key, row_id, raw.get("@odata.etag"), from_wire(model, raw, names))

    def _child(
        self,
        model: type[Model],
        raw: Mapping[str, Any],
        own: Sequence[str],
        names: Sequence[str],
        wanted: Sequence[str],
    ) -> Row:
        values = from_wire(model, raw, wanted)
        row = self._row(model, (), raw, names)
        filled = bool(own) and all(values[n] is not None for n in own)
        key: Key = (
            tuple(sorted((n, values[n]) for n in own)) if filled else ((model.remote.primary_id, row.id),)
        )
        return Row(key, row.id, row.etag, row.values)

    def _pages(self, model: type[Model], answer: PartAnswer) -> Iterator[list[Mapping[str, Any]]]:
        """The rows of a list and of all pages that follow it."""
        page = self._object(answer, model)
        followed: set[str] = set()
        while True:
            yield _objects(page.get("value"))
            link = page.get("@odata.nextLink")
            if not isinstance(link, str):
                return
            if link in followed:
                self._malformed(model)
            followed.add(link)
            page = self._get_json(link, f"reading more of {model.remote.collection}")

    def _reads(self, parts: Sequence[Part]) -> Sequence[PartAnswer]:
        """Answers of reads: rows, or that there is none; anything else is raised."""
        answers = self._batch(parts)
        for answer in answers:
            code, _ = error_of(answer)
            meaning = DATAVERSE.judge(answer.status, code)
            if meaning.disposition is not Disposition.DONE and not _is_absent(answer):
                raise to_error(
                    meaning,
                    f"Dataverse answered {answer.status} {code}".rstrip() + " to a read",
                    where={"connection": self._name},
                    retry_after_s=self._retry_after(answer),
                )
        return answers

    def _batch(self, parts: Sequence[Part]) -> Sequence[PartAnswer]:
        """Send parts together, each for itself; one answer each, in their order."""
        boundary = f"batch_{self._new_id()}"
        headers = {
            **ODATA,
            "Content-Type": f"multipart/mixed; boundary={boundary}",
            "Prefer": f"odata.continue-on-error, {ANNOTATIONS}",
        }
        answer = self._send(Call("POST", f"{self._url}{ROOT}/$batch", headers, build(parts, boundary)))
        self._judge(answer, f"a batch of {len(parts)}")
        try:
            answers = answers_of(answer.headers.get("content-type", ""), answer.body)
        except ValueError:
            answers = []
        if len(answers) != len(parts):
            raise TryAgainError(
                f"Dataverse answered a batch of {len(parts)} with {len(answers)} readable parts",
                code="answer-malformed",
                where={"connection": self._name},
                hint="nothing to do; rows are read again before anything else is written",
                disposition=Disposition.RETRY,
            )
        return answers

    def _get_json(self, target: str, doing: str) -> Mapping[str, Any]:
        """A JSON object, by path or by a link that the remote gave."""
        url = target if target.startswith("https://") else self._url + target
        answer = self._send(Call("GET", url, {**ODATA, "Prefer": ANNOTATIONS}))
        self._judge(answer, doing)
        told = answer.json({"connection": self._name})
        return told if isinstance(told, Mapping) else {}

    def _send(self, call: Call) -> Answer:
        """Send with a token; once more with a new one where it was refused, since nothing was performed then."""
        answer = self._http.send(self._authorised(call))
        if answer.status == 401:
            self._sign_in.forget()
            answer = self._http.send(self._authorised(call))
        return answer

    def _authorised(self, call: Call) -> Call:
        headers = {**call.headers, "Authorization": f"Bearer {self._sign_in.token()}"}
        return Call(call.method, call.url, headers, call.body)

    def _judge(self, answer: Answer, doing: str) -> None:
        code, _ = (
            error_of(PartAnswer(answer.status, answer.headers, answer.body))
            if answer.status >= 400
            else ("", "")
        )
        meaning = DATAVERSE.judge(answer.status, code)
        if meaning.disposition is not Disposition.DONE:
            raise to_error(
                meaning,
                f"Dataverse answered {answer.status} {code}".rstrip() + f" to {doing}",
                where={"connection": self._name},
                retry_after_s=self._retry_after(answer),
            )

    def _object(self, answer: PartAnswer, model: type[Model]) -> Mapping[str, Any]:
        body = answer.json()
        if not isinstance(body, Mapping):
            self._malformed(model)
        return body

    def _malformed(self, model: type[Model]) -> NoReturn:
        raise TryAgainError(
            f"Dataverse's answer about {model.remote.entity} is no row",
            code="answer-malformed",
            where={"connection": self._name, "entity": model.remote.entity},
            hint="check that the connection's url is the organisation's; a proxy may answer in its place",
            disposition=Disposition.RETRY,
        )

    def _retry_after(self, answer: Answer | PartAnswer) -> float | None:
        return retry_after_s(answer.headers.get("retry-after"), self._clock)

    def _not_supported(self, what: str) -> UsageError:
        return UsageError(
            f"{what} is not supported by the Dataverse connector",
            code="not-supported",
            where={"connection": self._name},
            hint="let the flow's trigger be a connection that tells of its changes",
        )


def _get(url: str) -> Part:
    return Part("GET", url, {"Accept": "application/json", "Prefer": ANNOTATIONS})


def _is_absent(answer: PartAnswer) -> bool:
    return answer.status == 404 and error_of(answer)[0] in ("0x80060891", "0x80040217")


def _is_read(call: Call, authority: str) -> bool:
    """Reads, sign-ins, and batches of nothing but reads."""
    if is_plain_read(call):
        return True
    parts = urlsplit(call.url)
    if (
        call.method == "POST"
        and parts.hostname == urlsplit(authority).hostname
        and parts.path.endswith("/token")
    ):
        return True
    if call.method != "POST" or not parts.path.endswith("/$batch"):
        return False
    kind = next((v for k, v in call.headers.items() if k.lower() == "content-type"), "")
    try:
        inner = requests_of(kind, call.body or b"")
    except ValueError:
        return False
    return bool(inner) and all(part.method == "GET" for part in inner)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), MAX_PARTS):
        yield items[start : start + MAX_PARTS]


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []
