"""Cassettes: recorded traffic in vcrpy's own files, and a transport that replays them strictly.

vcrpy serialises and reads the files, so that plain vcrpy can replay them too. Its matching is too lenient for a gate
(a dropped `If-Match` or a lost tax replays green) and its recorder patches classes of the whole process, so both
directions go through httpx transports of ours: one passed in, nothing patched.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from vcr.request import Request as VcrRequest
from vcr.serialize import deserialize, serialize
from vcr.serializers import yamlserializer

from tagline.errors import TaglineError, UsageError
from tagline.harness.canonical import SEMANTIC_HEADERS, Call, call, differences, distance

KEPT_RESPONSE_HEADERS: Final = (
    "content-type",
    "etag",
    "location",
    "odata-entityid",
    "odata-version",
    "preference-applied",
    "retry-after",
)
LOGIN_HOST: Final = "login.example"
"""Sign-in is never recorded; a replay answers it with a token that is none."""


@dataclass(frozen=True)
class Interaction:
    """A recorded request with its response."""

    method: str
    url: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    reason: str
    response_headers: Mapping[str, str]
    response_body: bytes

    @property
    def call(self) -> Call:
        url = httpx.URL(self.url)
        host, target = url.netloc.decode(), url.raw_path.decode()
        return call(self.method, host, target, self.request_headers, self.request_body)


@dataclass(frozen=True)
class Cassette:
    """Recorded traffic with the scenario that produced it."""

    interactions: tuple[Interaction, ...]
    scenario: Mapping[str, Any] = field(default_factory=dict)
    """Kept as the file's `metadata`: flow, keys, settings, clock, zones: what a replay needs to run the same again."""


def dump(cassette: Cassette) -> str:
    """The text of the cassette's file."""
    requests = [
        VcrRequest(i.method, i.url, i.request_body or None, dict(i.request_headers))
        for i in cassette.interactions
    ]
    responses = [
        {
            "status": {"code": i.status, "message": i.reason},
            "headers": {k: [v] for k, v in i.response_headers.items()},
            "body": {"string": i.response_body},
        }
        for i in cassette.interactions
    ]
    content = {"requests": requests, "responses": responses, "metadata": dict(cassette.scenario)}
    return str(serialize(content, yamlserializer))


def load(path: Path) -> Cassette:
    """
    Read a cassette.

    Raises:
        UsageError: The file is missing, is no cassette or holds no interaction (code `cassette-unreadable`).
    """
    try:
        requests, responses, *rest = deserialize(path.read_text(encoding="utf-8"), yamlserializer)
        interactions = tuple(
            Interaction(
                method=request.method,
                url=request.uri,
                request_headers=dict(request.headers),
                request_body=request.body or b"",
                status=int(response["status"]["code"]),
                reason=str(response["status"]["message"] or ""),
                response_headers={k: ", ".join(v) for k, v in response["headers"].items()},
                response_body=bytes(response["body"]["string"] or b""),
            )
            for request, response in zip(requests, responses, strict=True)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise _unreadable(path, f"{type(error).__name__}") from error
    if not interactions:
        raise _unreadable(path, "it holds no interaction")
    return Cassette(interactions, rest[0] if rest else {})


def _unreadable(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"{path} cannot be read as a cassette: {reason}",
        code="cassette-unreadable",
        where={"cassette": str(path)},
        hint="restore it from git, or record it again with `tagline record`",
    )


class RecordingTransport(httpx.BaseTransport):
    """
    Passes requests on and keeps what was said, with origins replaced and bodies rewritten.

    The caller receives the rewritten response too, so that it never works with what the cassette does not hold.

    Args:
        inner: What really sends.
        origins: Real origin (`https://host:port`) -> origin in the cassette; other origins pass unrecorded.
        rewrite: Body rewriting by origin in the cassette: (content type, text) -> text.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        origins: Mapping[str, str],
        rewrite: Callable[[str, str, str], str],
    ) -> None:
        self._inner = inner
        self._origins = origins
        self._rewrite = rewrite
        self._lock = threading.Lock()
        self.interactions: list[Interaction] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = b"".join(request.stream) if isinstance(request.stream, httpx.SyncByteStream) else b""
        request.stream = httpx.ByteStream(body)
        answer = self._inner.handle_request(request)
        origin = _origin(request.url)
        if origin not in self._origins:
            return answer
        answer.request = request
        content = answer.read()
        answer.close()
        safe_origin = self._origins[origin]
        kind = answer.headers.get("content-type", "")
        text = self._neutral(self._rewrite(safe_origin, kind, content.decode("utf-8", "surrogateescape")))
        safe = text.encode("utf-8", "surrogateescape")
        headers = {k: self._neutral(v) for k, v in answer.headers.items() if k in KEPT_RESPONSE_HEADERS}
        interaction = Interaction(
            method=request.method,
            url=self._neutral(str(request.url)),
            request_headers={
                k: self._neutral(v)
                for k, v in request.headers.items()
                if k in SEMANTIC_HEADERS and k != "secureurl"
            },
            request_body=self._neutral(body.decode("utf-8", "surrogateescape")).encode(
                "utf-8", "surrogateescape"
            ),
            status=answer.status_code,
            reason=answer.reason_phrase,
            response_headers=headers,
            response_body=safe,
        )
        with self._lock:
            self.interactions.append(interaction)
        return httpx.Response(answer.status_code, headers=self._real(headers), content=self._real_text(safe))

    def _neutral(self, text: str) -> str:
        for real, neutral in self._origins.items():
            text = text.replace(real, neutral)
        return text

    def _real_text(self, content: bytes) -> bytes:
        text = content.decode("utf-8", "surrogateescape")
        for real, neutral in self._origins.items():
            text = text.replace(neutral, real)
        return text.encode("utf-8", "surrogateescape")

    def _real(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {k: self._real_text(v.encode()).decode() for k, v in headers.items()}

    def close(self) -> None:
        self._inner.close()


class ReplayTransport(httpx.BaseTransport):
    """
    Answers from a cassette, strictly and without any network.

    Equal calls are answered in the order they were recorded in, each recorded answer once. `unknown` lists calls that
    no recorded one answers; `unplayed()` what was recorded and not asked for. Both must be empty for a pass.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._recorded: dict[Call, deque[Interaction]] = defaultdict(deque)
        for interaction in cassette.interactions:
            self._recorded[interaction.call].append(interaction)
        self._lock = threading.Lock()
        self.played = 0
        self.unknown: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == LOGIN_HOST:
            return _sign_in(request)
        body = b"".join(request.stream) if isinstance(request.stream, httpx.SyncByteStream) else b""
        headers = {k: v for k, v in request.headers.items() if k != "secureurl"}
        wanted = call(
            request.method, request.url.netloc.decode(), request.url.raw_path.decode(), headers, body
        )
        with self._lock:
            queue = self._recorded.get(wanted)
            if queue:
                self.played += 1
                return _response(queue.popleft())
            message = self._near_miss(wanted)
            self.unknown.append(message)
        raise TaglineError(
            message,
            code="cassette-unknown-call",
            hint="a change of what is sent on purpose needs a new recording: `tagline record`",
        )

    def unplayed(self) -> list[str]:
        """Recorded calls that nobody made."""
        with self._lock:
            return [c.line for c, queue in self._recorded.items() for _ in queue]

    def _near_miss(self, wanted: Call) -> str:
        candidates = [c for c in self._recorded if c.method == wanted.method and c.host == wanted.host]
        if not candidates:
            return f"the cassette has no call like {wanted.line}"
        nearest = differences(wanted, min(candidates, key=lambda c: distance(wanted, c)))
        if not nearest:
            return f"{wanted.line} was recorded fewer times than it is made now"
        return f"the cassette has no call {wanted.line}; the nearest differs in {'; '.join(nearest[:8])}"


def _response(interaction: Interaction) -> httpx.Response:
    return httpx.Response(
        interaction.status, headers=dict(interaction.response_headers), content=interaction.response_body
    )


def _sign_in(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/openid-configuration"):
        base = f"https://{LOGIN_HOST}/replay"
        return httpx.Response(
            200,
            json={
                "issuer": f"{base}/v2.0",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            },
        )
    return httpx.Response(200, json={"token_type": "Bearer", "expires_in": 3599, "access_token": "replay"})


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"
