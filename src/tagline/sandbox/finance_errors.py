"""
What Finance says no with. Source: Finance notes, section 17.

Every body has an empty code; the business text stands in `innererror.message` after `Infolog:`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tagline.sandbox.assumptions import FINANCE_MISSING_ROW_MESSAGE
from tagline.sandbox.finance_quirks import quirks
from tagline.sandbox.finance_schema import Entity
from tagline.sandbox.values import Response
from tagline.sandbox.wire import encode, in_bytes

JSON = ("Content-Type", "application/json; odata.metadata=minimal; charset=utf-8")
BUSY = (
    "This request could not be processed at this time due to system experiencing high resource utilization."
)
GENERAL = "An error has occurred."


class FinanceRefusal(Exception):  # noqa: N818 - an answer on the wire, not an error of ours
    """The request is answered with an error body; nothing of it was done."""

    def __init__(self, status: int, message: str, *, inner: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.inner, self.kind = status, message, inner, kind

    def response(self) -> Response:
        error: dict[str, object] = {"code": "", "message": self.message}
        if self.inner:
            error["innererror"] = {"message": self.inner, "type": self.kind, "stacktrace": ""}
        return Response(self.status, (JSON,), in_bytes(encode({"error": error})))


def infolog(entity: Entity, verb: str, *items: str) -> FinanceRefusal:
    """A business rule said no; each item begins with `Error:`, `Warning:` or `Info:`."""
    inner = f"{verb} failed for table row of type '{entity.internal}'. Infolog: {'; '.join(items)}."
    return FinanceRefusal(
        400,
        GENERAL,
        inner=inner,
        kind="Microsoft.Dynamics.Platform.Integration.Services.OData.ODataException",
    )


def unreadable(message: str) -> FinanceRefusal:
    """The address, an option or the body cannot be understood."""
    return FinanceRefusal(400, GENERAL, inner=message, kind="Microsoft.OData.ODataException")


def no_property(entity: Entity, names: Sequence[str]) -> FinanceRefusal:
    return unreadable(
        f"Could not find a property named '{names[0]}' on type 'Microsoft.Dynamics.DataEntities.{entity.type}'."
    )


def no_resource(url: str) -> FinanceRefusal:
    return FinanceRefusal(404, f"No HTTP resource was found that matches the request URI '{url}'.")


def no_row(entity: Entity) -> FinanceRefusal:
    return FinanceRefusal(404, FINANCE_MISSING_ROW_MESSAGE.format(entity_set=entity.entity_set))


def stale() -> FinanceRefusal:
    return FinanceRefusal(
        quirks().stale_status, GENERAL, inner="The record has been changed since it was read.", kind=""
    )


def throttled(seconds: int) -> Response:
    body = encode({"error": {"code": "", "message": BUSY}}).encode()
    return Response(429, (("Retry-After", str(seconds)), JSON), body)
