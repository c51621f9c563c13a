"""
Comparing what the sandbox assumes with a live system, by reads alone.

Each assumption that a read can show has a question here. The others need a write, a full bucket or a webhook; they are
listed as not shown, so that nobody takes silence for agreement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import available_timezones

from tagline.clock import Clock
from tagline.connectors.budgets import governor_for
from tagline.connectors.entra import SignIn
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.messages import Answer, Call
from tagline.connectors.shift4shop.wire import sign_in_headers
from tagline.domain.environment import Connection, EntraConnection, Shift4ShopConnection
from tagline.sandbox import assumptions
from tagline.sandbox.conformance import TABLE, Basis
from tagline.sandbox.dataverse_schema import MONEY_PRINTED

API: Final = "/api/data/v9.2"
OLD_TOKEN: Final = "919042!08/22/2017 08:10:44"  # noqa: S105 - a delta token of long ago, no secret


class Agreement(StrEnum):
    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class Compared:
    """One assumption beside what the live system does."""

    connection: str
    what: str
    constant: str
    """In `sandbox/assumptions.py`; empty where the behaviour is no single value."""
    agreement: Agreement
    assumed: str
    observed: str


class _Asked:
    """A connection that can be read with and without its credentials."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        secrets: Callable[[str], str],
        transport: Transport | None,
    ) -> None:
        urls = [connection.url]
        if isinstance(connection, EntraConnection):
            urls.append(connection.authority)
        policy = Policy(
            tuple(urls),
            governor_for(connection, clock),
            is_read=lambda call: call.method == "GET" or call.url.endswith("/token"),
            read_only=True,
            ca_file=connection.ca_file,
        )
        self._http = Http(policy, clock, transport)
        self._url = connection.url.rstrip("/")
        if isinstance(connection, Shift4ShopConnection):
            headers = dict(sign_in_headers(connection, secrets))
            self._headers: Callable[[], dict[str, str]] = lambda: headers
            self._wrong = {name: value if name == "secureurl" else "wrong" for name, value in headers.items()}
        else:
            sign_in = SignIn(self._http, connection, secrets)
            self._headers = lambda: {"authorization": f"Bearer {sign_in.token()}"}
            self._wrong = {}

    def get(self, path: str, *, signed_in: bool = True, **headers: str) -> Answer:
        proof = self._headers() if signed_in else self._wrong
        given = {
            "accept": "application/json",
            **proof,
            **{n.replace("_", "-"): v for n, v in headers.items()},
        }
        return self._http.send(Call("GET", self._url + path, given))

    def close(self) -> None:
        self._http.close()


Question = Callable[[_Asked], tuple[object, object] | None]
"""What is assumed and what was observed, in the same terms; None where the system holds nothing to look at."""


def compare(
    name: str,
    connection: Connection,
    *,
    clock: Clock,
    secrets: Callable[[str], str],
    transport: Transport | None = None,
) -> Iterator[Compared]:
    """
    Every assumption about a connection's system, in the order of the conformance table.

    Raises:
        TaglineError: The system cannot be asked, or signing in was refused.
    """
    system = connection.system
    asked = _Asked(connection, clock, secrets, transport)
    try:
        for behaviour in TABLE:
            if behaviour.system != system or behaviour.basis is not Basis.ASSUMED:
                continue
            question = QUESTIONS.get(behaviour.constant or behaviour.what)
            found = question(asked) if question else None
            if found is None:
                told = "nothing there to look at" if question else "takes more than a read"
                assumed = getattr(assumptions, behaviour.constant, "") if behaviour.constant else ""
                agreement, observed = Agreement.NOT_SHOWN, told
            else:
                assumed, observed = found[0], str(found[1])
                agreement = Agreement.AGREES if str(found[0]) == observed else Agreement.DIFFERS
            yield Compared(
                name, behaviour.what, behaviour.constant, agreement, str(assumed)[:120], observed[:120]
            )
    finally:
        asked.close()


def _rows(answer: Answer) -> list[Mapping[str, Any]]:
    """The rows of a list of either system; none where it has none."""
    body = answer.json() if answer.status == 200 and answer.body else []
    if isinstance(body, Mapping):
        body = body.get("value", [body])
    return [row for row in body if isinstance(row, Mapping)] if isinstance(body, list) else []


def _code(answer: Answer) -> str:
    """Status and, where the body has one, the error's code."""
    found = re.search(rb'"code"\s*:\s*"([^"]*)"', answer.body)
    return f"{answer.status} {found.group(1).decode('latin-1')}".strip() if found else str(answer.status)


def _unauthorised_body(asked: _Asked) -> tuple[object, object]:
    answer = asked.get("/Orders?countonly=1", signed_in=False)
    try:
        body: object = answer.json() if answer.body else ""
    except Exception:  # noqa: BLE001 - whatever it is, it is not the body that we assume
        body = "no JSON"
    return (401, assumptions.UNAUTHORISED_BODY), (answer.status, body)


def _limit_above_cap(asked: _Asked) -> tuple[object, object] | None:
    counted = asked.get("/Orders?countonly=1")
    told = counted.json() if counted.status == 200 else {}
    count = told.get("TotalCount") if isinstance(told, Mapping) else None
    if not isinstance(count, int) or count <= 300:
        return None
    answer = asked.get("/Orders?limit=301")
    clamped = answer.status in (200, 404) and len(_rows(answer)) <= 300
    return assumptions.LIMIT_ABOVE_CAP_IS_CLAMPED, clamped


def _offset_zero(asked: _Asked) -> tuple[object, object] | None:
    at_one, at_zero = (_rows(asked.get(f"/OrderStatus?limit=1&offset={n}")) for n in (1, 0))
    return (assumptions.OFFSET_ZERO_IS_ONE, at_one == at_zero) if at_one else None


def _store_zone(asked: _Asked) -> tuple[object, object] | None:
    rows = _rows(asked.get("/StoreSettings"))
    standards = rows[0].get("StoreStandards") if rows else None
    zone = standards.get("StoreTimeZone") if isinstance(standards, Mapping) else None
    return None if zone is None else (True, str(zone) in available_timezones())


def _events(asked: _Asked) -> tuple[object, object] | None:
    rows = _rows(asked.get("/Webhooks/Events?limit=100"))
    told = {str(row.get("EventType")): row.get("EventName") for row in rows}
    assumed = {str(number): name for number, name in assumptions.WEBHOOK_EVENTS.items()}
    return (assumed, dict(sorted(told.items()))) if told else None


def _past_the_end(asked: _Asked) -> Answer:
    return asked.get("/OrderStatus?offset=100000")


def _error_bodies(asked: _Asked) -> tuple[object, object]:
    answer = _past_the_end(asked)
    return (400, assumptions.ERROR_BODIES), (answer.status, bool(answer.body.strip()))


def _error_value(asked: _Asked) -> tuple[object, object] | None:
    answer = _past_the_end(asked)
    try:
        told = answer.json()[0]
        return ("Error", assumptions.ERROR_VALUE, "400"), (told["Key"], told["Value"], told["Status"])
    except Exception:  # noqa: BLE001 - a body of another kind is what ERROR_BODIES asks about
        return None


def _status_12(asked: _Asked) -> tuple[object, object] | None:
    rows = _rows(asked.get("/OrderStatus?limit=100"))
    found = [row.get("StatusDefinition") for row in rows if row.get("OrderStatusID") == 12]
    return (assumptions.STATUS_12, found[0]) if found else None


def _challenge(asked: _Asked) -> tuple[object, object]:
    answer = asked.get(f"{API}/WhoAmI", signed_in=False)
    challenge = answer.headers.get("www-authenticate", "")
    shape = re.sub(r"(authorization_uri|resource_id)=[^,\s]+", r"\1=…", challenge)
    return (401, "Bearer authorization_uri=…, resource_id=…"), (answer.status, shape)


def _unsafe_key(asked: _Asked) -> tuple[object, object]:
    address = quote("a/b", safe="")
    return "400 0x80060888", _code(asked.get(f"{API}/transactioncurrencies(isocurrencycode='{address}')"))


def _expired_token(asked: _Asked) -> tuple[object, object]:
    token = quote(OLD_TOKEN, safe="")
    answer = asked.get(f"{API}/accounts?$select=accountid&$deltatoken={token}")
    return f"{assumptions.DELTA_EXPIRED_STATUS} 0x80044352", _code(answer)


def _untracked(asked: _Asked) -> tuple[object, object]:
    table = next(iter(assumptions.UNTRACKED_TABLES))
    answer = asked.get(
        f"{API}/EntityDefinitions(LogicalName='{table}')?$select=LogicalName,ChangeTrackingEnabled"
    )
    told = answer.json() if answer.status == 200 else {}
    return (
        f"{table} False",
        f"{table} {told.get('ChangeTrackingEnabled') if isinstance(told, Mapping) else None}",
    )


def _count_mark(asked: _Asked) -> tuple[object, object]:
    answer = asked.get(f"{API}/transactioncurrencies/$count")
    return assumptions.COUNT_HAS_BOM, answer.body.startswith(b"\xef\xbb\xbf")


def _money(asked: _Asked) -> tuple[object, object] | None:
    answer = asked.get(f"{API}/salesorders?$select=totalamount&$filter=totalamount%20gt%200&$top=1")
    found = re.search(rb'"totalamount"\s*:\s*\d+(?:\.(\d+))?', answer.body)
    return (MONEY_PRINTED, len(found.group(1) or b"")) if found else None


def _finance_challenge(asked: _Asked) -> tuple[object, object]:
    answer = asked.get("/data/LegalEntities?$top=1", signed_in=False)
    challenge = answer.headers.get("www-authenticate", "")
    shape = re.sub(r'(authorization_uri)="[^"]*"', r'\1="…"', challenge)
    return (401, assumptions.FINANCE_CHALLENGE.format(authority="…")), (answer.status, shape)


def _finance_missing(asked: _Asked) -> tuple[object, object]:
    answer = asked.get("/data/Currencies(CurrencyCode='~none~')")
    try:
        message = answer.json()["error"]["message"]
    except Exception:  # noqa: BLE001 - whatever it is, it is not the body that we assume
        message = "no message"
    return (404, assumptions.FINANCE_MISSING_ROW_MESSAGE.format(entity_set="Currencies")), (
        answer.status,
        message,
    )


def _finance_page(asked: _Asked) -> tuple[object, object] | None:
    answer = asked.get("/data/Currencies?$select=CurrencyCode", prefer="odata.maxpagesize=1")
    body = answer.json() if answer.status == 200 else {}
    link = str(body.get("@odata.nextLink", "")) if isinstance(body, Mapping) else ""
    found = re.search(r"[?&](?:\$|%24)(skiptoken|skip)=", link)
    return (assumptions.FINANCE_PAGE_OPTION, f"${found[1]}") if found else None


def _finance_paths(asked: _Asked) -> tuple[object, object] | None:
    rows = _rows_of(asked.get("/data/Currencies?$select=CurrencyCode&$top=1"))
    if not rows:
        return None
    code = quote(str(rows[0].get("CurrencyCode")), safe="")
    answer = asked.get(f"/data/Currencies(CurrencyCode='{code}')/CurrencyCode")
    return assumptions.FINANCE_PATHS_GO_BELOW_ROWS, answer.status == 200


def _finance_names(asked: _Asked) -> tuple[object, object] | None:
    told = {str(row.get("name")) for row in _rows_of(asked.get("/data/"))}
    return (GUESSED_SETS, tuple(n for n in GUESSED_SETS if n in told)) if told else None


def _rows_of(answer: Answer) -> list[Mapping[str, object]]:
    """Of an OData list; none where it is another answer."""
    body = answer.json() if answer.status == 200 else {}
    value = body.get("value") if isinstance(body, Mapping) else None
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


GUESSED_SETS: Final = (
    "ReleasedProductsV2",
    "SalesPriceAgreements",
    "SalesOrderLines",
    "SalesInvoiceHeadersV2",
)
"""Entity sets whose names nothing better than memory tells."""

QUESTIONS: Final[Mapping[str, Question]] = {
    "UNAUTHORISED_BODY": _unauthorised_body,
    "LIMIT_ABOVE_CAP_IS_CLAMPED": _limit_above_cap,
    "OFFSET_ZERO_IS_ONE": _offset_zero,
    "StoreTimeZone holds an IANA name": _store_zone,
    "WEBHOOK_EVENTS": _events,
    "ERROR_BODIES": _error_bodies,
    "ERROR_VALUE": _error_value,
    "STATUS_12": _status_12,
    "UNAUTHORISED_CHALLENGE": _challenge,
    "UNSAFE_KEY_CHARACTERS": _unsafe_key,
    "DELTA_EXPIRED_STATUS": _expired_token,
    "UNTRACKED_TABLES": _untracked,
    "COUNT_HAS_BOM": _count_mark,
    "decimals of money": _money,
    "FINANCE_CHALLENGE": _finance_challenge,
    "FINANCE_MISSING_ROW_MESSAGE": _finance_missing,
    "FINANCE_PAGE_OPTION": _finance_page,
    "FINANCE_PATHS_GO_BELOW_ROWS": _finance_paths,
    ", ".join(GUESSED_SETS): _finance_names,
}
"""By the assumption's constant, or by its words where it has none."""
