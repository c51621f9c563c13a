"""Requests to one store: its keys or its token on each of them, its lists as rows, its refusals as errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from tagline.clock import Clock
from tagline.connectors import json_values
from tagline.connectors.dispositions import (
    FOREIGN,
    NOTHING_THERE,
    SHIFT4SHOP,
    is_foreign,
    judge_page,
    to_error,
)
from tagline.connectors.http import Http
from tagline.connectors.messages import Answer, Call, retry_after_s
from tagline.connectors.secrets import for_header
from tagline.domain.environment import Shift4ShopConnection
from tagline.errors import Disposition, TryAgainError

NO_RECORD: Final = frozenset({"Message", "TotalCount"})
"""Members of an object that is an error or a count; a record in place of a list of one is taken for it."""


def sign_in_headers(config: Shift4ShopConnection, secrets: Callable[[str], str]) -> Mapping[str, str]:
    """
    The headers that name the store and prove who asks; a bearer token does both.

    Raises:
        UsageError: A secret is missing, or holds what no header can (code `secret-unusable`).
    """
    if config.access_token is not None:
        return {"authorization": f"Bearer {for_header(config.access_token, secrets)}"}
    assert config.private_key is not None
    assert config.token is not None
    return {
        "secureurl": config.store_url,
        "privatekey": for_header(config.private_key, secrets),
        "token": for_header(config.token, secrets),
    }


class Wire:
    """
    One store as paths and JSON.

    Args:
        name: The connection's, for errors.
        url: Root of the API.
        keys: Headers that name the store and prove who asks.
    """

    def __init__(self, name: str, url: str, keys: Mapping[str, str], http: Http, clock: Clock) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._headers = {"accept": "application/json", **keys}
        self._http = http
        self._clock = clock

    def close(self) -> None:
        """Let go of the network."""
        self._http.close()

    def send(
        self, method: str, path: str, query: Mapping[str, object] | None = None, body: object = None
    ) -> Answer:
        """
        The store's answer, of whatever status.

        Raises:
            TryAgainError: Something else than the shop answered that it is not there or not allowed (`answer-malformed`).
        """
        url = self._url + path + (f"?{urlencode(query, safe='/')}" if query else "")
        call = Call(method, url, self._headers)
        if body is not None:
            headers = {**self._headers, "content-type": "application/json"}
            call = Call(method, url, headers, json_values.dump(body).encode())
        answer = self._http.send(call)
        if is_foreign(answer.status, answer.headers.get("content-type", ""), answer.body):
            raise to_error(
                FOREIGN,
                f"a page in HTML with status {answer.status} came in place of the shop's answer",
                where={"connection": self._name},
            )
        return answer

    def rows(
        self,
        path: str,
        doing: str,
        *,
        offset: int,
        limit: int,
        query: Mapping[str, object] | None = None,
        otherwise: Callable[[Answer], Any | None] = lambda _: None,
    ) -> list[Any]:
        """
        One page of a list; none where the list is empty or ends before it.

        Args:
            doing: What is done, for errors.
            offset: Position of the first row, from 1.
            otherwise: What to make of an answer that is no JSON within bounds; None is an error.
        """
        answer = self.send("GET", path, {**(query or {}), "limit": limit, "offset": offset})
        if judge_page(answer.status, answer.body, offset) is NOTHING_THERE:
            return []
        self.need_done(answer, doing)
        try:
            rows = answer.json({"connection": self._name})
        except TryAgainError:
            rows = otherwise(answer)
            if rows is None:
                raise
        if isinstance(rows, Mapping) and not rows.keys() & NO_RECORD:
            return [rows]
        if not isinstance(rows, list):
            # Taken for a row without an id, a whole list would seem to be gone.
            raise to_error(
                FOREIGN, f"the shop's answer to {doing} is no list", where={"connection": self._name}
            )
        return rows

    def count(self, path: str, name: str, query: Mapping[str, object] | None = None) -> int:
        """
        How many rows a list holds; of orders those of whatever status.

        Args:
            name: Of the rows, for errors.
            query: Filters of the list.
        """
        answer = self.send("GET", path, {**(query or {}), "countonly": 1})
        if judge_page(answer.status, answer.body, offset=1) is NOTHING_THERE:
            return 0
        self.need_done(answer, f"counting {name}")
        told = answer.json({"connection": self._name})
        count = told.get("TotalCount") if isinstance(told, Mapping) else None
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise to_error(
                SHIFT4SHOP.judge(502),
                "the shop's answer to a count holds no count",
                where={"connection": self._name},
            )
        return count

    def need_done(self, answer: Answer, doing: str, where: Mapping[str, str] | None = None) -> None:
        """
        Go on only where the store did what was asked.

        Raises:
            TaglineError: It did not; code, disposition and hint are those of the table of dispositions.
        """
        meaning = SHIFT4SHOP.judge(answer.status)
        if meaning.disposition is not Disposition.DONE:
            raise to_error(
                meaning,
                f"the shop answered {answer.status} to {doing}",
                where={"connection": self._name, **(where or {})},
                retry_after_s=retry_after_s(answer.headers.get("retry-after"), self._clock),
            )
