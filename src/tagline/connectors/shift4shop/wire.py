"""Requests to one store: its keys or its token on each of them, its lists as rows, its refusals as errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from tagline.clock import Clock
from tagline.connectors import json_values
from tagline.connectors.dispositions import NOTHING_THERE, SHIFT4SHOP, judge_page, to_error
from tagline.connectors.http import Http
from tagline.connectors.messages import Answer, Call, retry_after_s
from tagline.domain.environment import Shift4ShopConnection
from tagline.errors import Disposition, TryAgainError


def sign_in_headers(config: Shift4ShopConnection, secrets: Callable[[str], str]) -> Mapping[str, str]:
    """The headers that name the store and prove who asks; a bearer token does both."""
    if config.access_token is not None:
        return {"authorization": f"Bearer {secrets(config.access_token)}"}
    assert config.private_key is not None
    assert config.token is not None
    return {
        "secureurl": config.store_url,
        "privatekey": secrets(config.private_key),
        "token": secrets(config.token),
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
        """The store's answer, of whatever status."""
        url = self._url + path + (f"?{urlencode(query, safe='/')}" if query else "")
        if body is None:
            return self._http.send(Call(method, url, self._headers))
        headers = {**self._headers, "content-type": "application/json"}
        return self._http.send(Call(method, url, headers, json_values.dump(body).encode()))

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
        return rows if isinstance(rows, list) else [rows]

    def count(self, path: str, name: str) -> int:
        """
        How many rows a list holds; of orders those of whatever status.

        Args:
            name: Of the rows, for errors.
        """
        answer = self.send("GET", path, {"countonly": 1})
        if judge_page(answer.status, answer.body, offset=1) is NOTHING_THERE:
            return 0
        self.need_done(answer, f"counting {name}")
        told = answer.json({"connection": self._name})
        count = told.get("TotalCount") if isinstance(told, Mapping) else None
        if not isinstance(count, int) or isinstance(count, bool):
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
