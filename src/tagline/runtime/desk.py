"""The agent's web address: the intake, and beside it `/metrics` where the environment wants them shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tagline.runtime.metrics import CONTENT_TYPE, Metrics

Application = Callable[[Any, Any, Any], Awaitable[None]]


def with_metrics(app: Application, metrics: Metrics | None) -> Application:
    """The application, with `/metrics` before it; without metrics it is the application itself."""
    if metrics is None:
        return app

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/metrics" or scope["method"] not in ("GET", "HEAD"):
            await app(scope, receive, send)
            return
        body = metrics.render()
        headers = [(b"content-type", CONTENT_TYPE), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})

    return answer
