"""A request and a response as plain values: what every site takes and gives, in process and over TLS alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import SplitResult, parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """One HTTP request."""

    method: str
    url: str
    """Absolute, as sent; the path still percent-encoded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""

    @cached_property
    def _split(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def origin(self) -> str:
        """Scheme, host and port: what absolute links of the answer start with."""
        return f"{self._split.scheme}://{self._split.netloc}"

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return self._split.path

    @property
    def raw_query(self) -> str:
        return self._split.query

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Decoded parameters; the last one of a name wins."""
        return dict(parse_qsl(self._split.query, keep_blank_values=True))


@dataclass(frozen=True)
class Response:
    """One HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")
