"""Requests to one OData service: signed in, judged, in batches and page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn, Protocol, TypeVar
from urllib.parse import urlsplit

from tagline.clock import Clock
from tagline.connectors import json_values
from tagline.connectors.dispositions import Table, to_error
from tagline.connectors.governor import Governor
from tagline.connectors.http import Http
from tagline.connectors.messages import Answer, Call, is_plain_read, retry_after_s
from tagline.connectors.odata.batch import (
    MAX_PARTS,
    ChangeSet,
    Part,
    PartAnswer,
    answers_of,
    build,
    requests_of,
)
from tagline.connectors.pace import Lane
from tagline.errors import Disposition, RefusedError, TryAgainError

T = TypeVar("T")
R = TypeVar("R")

ODATA: Final = {"OData-MaxVersion": "4.0", "OData-Version": "4.0", "Accept": "application/json"}

MAX_URL: Final = 32_768
"""Characters of an address outside a batch. Source: reference/dataverse-api.md section 1; of Finance it is assumed."""

MAX_PAGES: Final = 10_000
"""Pages of one list that are followed; at 5000 rows a page, more is a list that does not end."""


class Tokens(Protocol):
    """Where access tokens come from."""

    def token(self) -> str: ...

    def forget(self, refused: str) -> None: ...


@dataclass(frozen=True)
class Dialect:
    """What one system's OData is like."""

    table: Table
    """What its answers mean."""
    root: str
    """Path of the API."""
    error_of: Callable[[Answer | PartAnswer], tuple[str, str]]
    """Code and text of an error body; both empty when there is none."""
    is_absent: Callable[[PartAnswer], bool]
    """Whether an answer says that there is no such row."""
    prefer: str = ""
    """Preferences of every read."""
    may_stop: bool = False
    """Whether a batch may end at its first refused part, whatever we prefer; the others are then sent again."""


class Session:
    """One OData service behind one connection; each system's own subclass has its dialect."""

    dialect: ClassVar[Dialect]

    def __init__(
        self,
        name: str,
        url: str,
        http: Http,
        tokens: Tokens,
        clock: Clock,
        new_id: Callable[[], str],
        governor: Governor,
    ) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self.clock = clock
        self._http = http
        self._tokens = tokens
        self._new_id = new_id
        self._governor = governor

    @property
    def lane(self) -> Lane:
        """Who sends through this session."""
        return self._governor.lane

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        weight: int = 1,
    ) -> Answer:
        """
        Send one request, with a token; its answer may be of any status.

        Args:
            target: A path from the host's root, or a link that the service gave.
            body: Sent as JSON unless None.
            weight: Records that it carries.

        Raises:
            RefusedError: The link leads to another host (code `host-refused`).
        """
        content = None if body is None else json_values.dump(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        call = Call(method, self._address(target), {**ODATA, **kind, **(headers or {})}, content)
        return self._send(call, weight)

    def get(self, target: str, doing: str, prefer: str | None = None) -> Mapping[str, Any]:
        """
        A JSON object.

        Raises:
            TaglineError: The answer is another one, of whatever code.
        """
        address = self._address(target)
        if len(address) > MAX_URL:
            # As the link to the next page of a list with a long filter is.
            parts = urlsplit(address.replace(" ", "%20"))
            headers = {"Accept": "application/json", **self._preferring(prefer)}
            (inner,) = self.batch([Part("GET", f"{parts.path}?{parts.query}", headers)])
            self.judge(inner, doing)
            return self.object_of(inner.json(), doing)
        answer = self.send("GET", target, self._preferring(prefer))
        self.judge(answer, doing)
        return self.object_of(answer.json({"connection": self.name}), doing)

    def rows(self, target: str, doing: str, prefer: str | None = None) -> Iterator[Mapping[str, Any]]:
        """The rows of a list, of all its pages."""
        for page in self.pages(self.get(target, doing, prefer), doing, prefer):
            yield from page

    def pages(
        self, page: Mapping[str, Any], doing: str, prefer: str | None = None
    ) -> Iterator[list[Mapping[str, Any]]]:
        """The rows of a list's first page and of all pages that follow it, a page at a time."""
        for each in self.linked(page, doing, prefer):
            yield self.values_of(each, doing)

    def linked(
        self, page: Mapping[str, Any], doing: str, prefer: str | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """A list's first page and all pages that follow it, as they came."""
        followed: set[str] = set()
        while True:
            yield page
            link = page.get("@odata.nextLink")
            if not isinstance(link, str):
                return
            if link in followed or len(followed) == MAX_PAGES:
                self.malformed(f"{doing}: its pages do not end")
            followed.add(link)
            page = self.get(link, doing, prefer)

    def items_of(self, page: Mapping[str, Any], doing: str) -> list[Any]:
        """The items of one page of a list, whatever each of them is."""
        items = page.get("value")
        if not isinstance(items, list):
            self.malformed(f"{doing}: it is no list of rows")
        return items

    def values_of(self, page: Mapping[str, Any], doing: str) -> list[Mapping[str, Any]]:
        """The rows of one page of a list."""
        rows = self.items_of(page, doing)
        if not all(isinstance(row, Mapping) for row in rows):
            self.malformed(f"{doing}: it is no list of rows")
        return rows

    def object_of(self, value: object, doing: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.malformed(f"{doing}: it is no JSON object")
        return value

    def reads(self, parts: Sequence[Part]) -> Sequence[PartAnswer]:
        """Answers of reads, a hundred in one request: found, or that there is nothing; anything else is raised."""
        answers = [
            answer for told in self.side_by_side(self.batches_of(parts), self.batch) for answer in told
        ]
        for answer in answers:
            if not self.dialect.is_absent(answer):
                self.judge(answer, "a read")
        return answers

    def batches_of(self, items: Sequence[T], most: int = MAX_PARTS) -> list[Sequence[T]]:
        """The items in as many batches as the budget advises, of at most so many."""
        size = self._governor.batch_size(len(items), most)
        return [items[start : start + size] for start in range(0, len(items), size)]

    def side_by_side(self, batches: Sequence[Sequence[T]], send: Callable[[Sequence[T]], R]) -> list[R]:
        """
        Send several batches, as many at a time as the budget advises; what came of each, in their order.

        Raises:
            TaglineError: One of them failed as a whole; the others were sent all the same.
        """
        workers = min(len(batches), self._governor.parallelism)
        if workers <= 1:
            return [send(batch) for batch in batches]
        with ThreadPoolExecutor(workers, thread_name_prefix="odata") as pool:
            return list(pool.map(send, batches))

    def batch(self, parts: Sequence[Part]) -> Sequence[PartAnswer]:
        """
        Send parts together, each for itself; one answer each, in their order.

        Raises:
            TaglineError: It failed as a whole, of whatever code.
        """
        answers = self._batch(parts, len(parts))
        if self.dialect.may_stop and 0 < len(answers) < len(parts) and answers[-1].status >= 400:
            # What comes after a refused part was not looked at.
            return [*answers, *self.batch(parts[len(answers) :])]
        if len(answers) != len(parts):
            raise TryAgainError(
                f"{self.dialect.table.system} answered a batch of {len(parts)} with {len(answers)} readable parts",
                code="answer-malformed",
                where={"connection": self.name},
                hint="nothing to do; rows are read again before anything else is written",
                disposition=Disposition.RETRY,
            )
        return answers

    def together(self, parts: Iterable[Part]) -> Sequence[PartAnswer]:
        """
        Make writes in one transaction: all of them, or none.

        Returns:
            One answer each, in their order, or alone the answer that refused them all.

        Raises:
            TaglineError: The batch failed as a whole, of whatever code.
        """
        together = ChangeSet(tuple(parts))
        count = len(together.parts)
        answers = self._batch([together], count)
        if len(answers) != count and (len(answers) != 1 or answers[0].status < 400):
            self.malformed(f"{count} writes together have {len(answers)} readable answers")
        return answers

    def _batch(self, parts: Sequence[Part | ChangeSet], weight: int) -> Sequence[PartAnswer]:
        boundary = f"batch_{self._new_id()}"
        preferred = ", ".join(filter(None, ("odata.continue-on-error", self.dialect.prefer)))
        headers = {
            **ODATA,
            "Content-Type": f"multipart/mixed; boundary={boundary}",
            "Prefer": preferred,
        }
        url = f"{self.url}{self.dialect.root}/$batch"
        answer = self._send(Call("POST", url, headers, build(parts, boundary)), weight)
        kind = answer.headers.get("content-type", "")
        # A batch that stopped carries the status of the part it stopped at.
        if not (self.dialect.may_stop and kind.lower().startswith("multipart/")):
            self.judge(answer, f"a batch of {weight}")
        try:
            answers = answers_of(kind, answer.body)
        except ValueError:
            return []
        silence = [self.retry_after(part) or 0.0 for part in answers if part.status == 429]
        if silence:
            # The batch itself went well, so that nothing below has seen it.
            self._governor.stop(max(silence))
        return answers

    def judge(self, answer: Answer | PartAnswer, doing: str) -> None:
        """
        Let pass what is done.

        Raises:
            TaglineError: By the table of dispositions.
        """
        code, _ = self.dialect.error_of(answer) if answer.status >= 400 else ("", "")
        table = self.dialect.table
        meaning = table.judge(answer.status, code)
        if meaning.disposition is not Disposition.DONE:
            raise to_error(
                meaning,
                f"{table.system} answered {answer.status} {code}".rstrip() + f" to {doing}",
                where={"connection": self.name},
                retry_after_s=self.retry_after(answer),
            )

    def retry_after(self, answer: Answer | PartAnswer) -> float | None:
        return retry_after_s(answer.headers.get("retry-after"), self.clock)

    def malformed(self, what: str) -> NoReturn:
        """Raise that an answer is none of the remote's kind; `what` names the doing and the fault."""
        raise TryAgainError(
            f"{self.dialect.table.system}'s answer cannot be read, {what}",
            code="answer-malformed",
            where={"connection": self.name},
            hint="check that the connection's url is the system's own; a proxy may answer in its place",
            disposition=Disposition.RETRY,
        )

    def _preferring(self, prefer: str | None) -> Mapping[str, str]:
        wanted = self.dialect.prefer if prefer is None else prefer
        return {"Prefer": wanted} if wanted else {}

    def _address(self, target: str) -> str:
        if target.startswith("/"):
            return self.url + target
        # The login service is a host of the connection too, and must not get a link's token.
        if _origin(target) != _origin(self.url):
            raise RefusedError(
                f"a link that {self.dialect.table.system} gave leads to {_origin(target)[2] or 'no address'}",
                code="host-refused",
                where={"connection": self.name},
                hint=f"allowed is {self.url}; change the connection's url if it moved",
            )
        return target

    def _send(self, call: Call, weight: int = 1) -> Answer:
        """Send with a token; once more with a new one where it was refused, since nothing was performed then."""
        token = self._tokens.token()
        answer = self._http.send(_bearing(call, token), weight)
        if answer.status == 401:
            self._tokens.forget(token)
            answer = self._http.send(_bearing(call, self._tokens.token()), weight)
        return answer


def _bearing(call: Call, token: str) -> Call:
    return Call(call.method, call.url, {**call.headers, "Authorization": f"Bearer {token}"}, call.body)


def _origin(url: str) -> tuple[str, str, str]:
    """Scheme, user and host with port of an address: where a request to it goes, and as whom; empty where it is none."""
    with suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme, parts.username or "", f"{parts.hostname or ''}:{parts.port or 443}"
    return "", "", ""


def is_read(call: Call, authority: str) -> bool:
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
