"""The shop's REST API: which address does what, the same way for every resource. Source: 3dcart notes, sections 2 and 5 to 8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tagline.sandbox.assumptions import DELETED_MESSAGE, METHOD_NOT_ALLOWED_MESSAGE
from tagline.sandbox.shop_answers import Answer, envelope, error, form_of, new, result, updated
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.shop_lists import kept, listing
from tagline.sandbox.shop_resources import (
    EVENT_FILTERS,
    MEMBERSHIPS,
    RESOURCES,
    SKU_FILTERS,
    Membership,
    Part,
)
from tagline.sandbox.shop_shape import UnfitError, by_name, created, merged, whole
from tagline.sandbox.shop_shapes import SKU_INFO, WEBHOOKS
from tagline.sandbox.shop_store import Store
from tagline.sandbox.shop_writer import Writer
from tagline.sandbox.shop_xml import from_xml
from tagline.sandbox.values import Request
from tagline.sandbox.wire import decode

NEEDED_OF_WEBHOOKS = ("Name", "Url", "EventType", "Enabled")
WRONG_FORMAT = "Format is JSON or XML"
NOT_FOUND = "The requested resource was not found"
LONGEST_KEY = 18
"""Digits of a key that is looked for; no shop has more."""


class ShopApi:
    """Routes an authenticated request below the API's root."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer = Writer(store)

    def route(self, request: Request, path: str) -> Answer:
        """
        Answer one request.

        Raises:
            BadParameterError: A query parameter cannot be read.
            UnfitError: The body cannot be taken.
        """
        name, *rest = [unquote(segment).lower() for segment in path.split("/")]
        match name, rest:
            case "products", ["skuinfo"]:
                return self._sku_infos(request)
            case "products", [key, "skuinfo"]:
                return self._sku_info(request, self._row("products", key))
            case "webhooks", _:
                return self._webhooks(request, rest)
            case "storesettings", []:
                return self._settings(request)
            case _, [] if name in RESOURCES:
                return self._list(request, name)
            case _, [key] if name in RESOURCES:
                return self._one(request, name, key)
            case _, [key, last, *inner] if name in RESOURCES and len(inner) <= 1:
                return self._inside(request, name, key, last, inner)
        return error(404, NOT_FOUND)

    def _row(self, name: str, key: str) -> Record | None:
        return self._store.tables[name].get(int(key)) if key.isdecimal() and len(key) <= LONGEST_KEY else None

    def _list(self, request: Request, name: str) -> Answer:
        resource = RESOURCES[name]
        match request.method:
            case method if method not in resource.verbs:
                return _not_allowed(method)
            case "GET":
                return self._found(request, name, self._store.candidates(name, _query(request)))
            case "POST":
                processed = _query(request).get("bypassorderprocessing") not in ("1", "true")
                results = [self._writer.create(name, each, processed=processed) for each in _objects(request)]
            case _:
                results = [self._change(name, each) for each in _objects(request)]
        return self._enveloped(results)

    def _change(self, name: str, sent: Mapping[str, Any]) -> Record:
        """One element of a bulk PUT, which must say itself which record it is about."""
        resource = RESOURCES[name]
        holder = by_name(sent).get(resource.within.lower()) if resource.within else sent
        key = by_name(holder).get(resource.key.lower()) if isinstance(holder, Mapping) else None
        if not str(key).isdecimal() or len(str(key)) > LONGEST_KEY:
            return result(resource.key, 0, 400, f"{resource.key} is required")
        return self._writer.change(name, int(str(key)), sent)

    def _found(self, request: Request, name: str, rows: Any) -> Answer:
        resource, query = RESOURCES[name], _query(request)
        quirks = self._store.quirks
        rows = kept(rows, resource.filters, query, quirks)
        answer = listing(rows, query, quirks, cap=resource.cap, name=resource.shape.name)
        return self._shown(name, answer) if answer.has_records else answer

    def _shown(self, name: str, answer: Answer) -> Answer:
        shown = [self._store.shown(name, row) for row in answer.value]
        return Answer(answer.status, shown, answer.name, has_records=True)

    def _one(self, request: Request, name: str, key: str) -> Answer:
        resource, row = RESOURCES[name], self._row(name, key)
        if request.method not in resource.one:
            return _not_allowed(request.method)
        if row is None:
            return error(404, NOT_FOUND)
        if request.method == "GET":
            return self._shown(name, Answer(200, [row], resource.shape.name))
        if request.method == "DELETE":
            return Answer(200, [self._writer.delete(name, int(key))])
        return self._single(self._writer.change(name, int(key), _object(request)))

    def _inside(self, request: Request, name: str, key: str, last: str, inner: list[str]) -> Answer:
        row = self._row(name, key)
        part, membership = RESOURCES[name].parts.get(last), MEMBERSHIPS.get((name, last))
        if row is not None and part is not None:
            return self._part(request, name, row, part, inner)
        if row is not None and membership is not None and not inner:
            return self._members(request, name, int(key), membership)
        return error(404, NOT_FOUND)

    def _members(self, request: Request, name: str, owner: int, membership: Membership) -> Answer:
        if request.method != "GET":
            return _not_allowed(request.method)
        owner_key = RESOURCES[name].key

        def belongs(row: Record) -> bool:
            value = row[membership.field]
            if isinstance(value, list):
                return any(each[owner_key] == owner for each in value)
            return bool(value == owner)

        return self._found(request, membership.members, filter(belongs, self._store.rows(membership.members)))

    def _part(self, request: Request, name: str, row: Record, part: Part, inner: list[str]) -> Answer:
        key = self._store.key_of(name, row)
        verbs = part.verbs & {"PUT"} if inner else part.verbs
        if request.method not in verbs:
            return _not_allowed(request.method)
        if request.method == "GET":
            shown = self._store.shown(name, row)[part.field]
            shape = RESOURCES[name].shape.parts[part.field]
            return listing(shown, _query(request), self._store.quirks, name=shape.name)
        if request.method == "POST":
            return self._enveloped(
                [self._writer.add_part(name, key, part.field, each) for each in _objects(request)]
            )
        if inner:
            return self._single(self._writer.change_part(name, key, part.field, _object(request), inner[0]))
        return self._enveloped(
            [self._writer.change_part(name, key, part.field, each) for each in _objects(request)]
        )

    def _enveloped(self, results: list[Record]) -> Answer:
        return envelope(results, self._store.quirks.all_failed_status)

    def _single(self, written: Record) -> Answer:
        return Answer(int(written["Status"]), [written])

    def _sku_info(self, request: Request, product: Record | None) -> Answer:
        if request.method != "GET":
            return _not_allowed(request.method)
        if product is None:
            return error(404, NOT_FOUND)
        return Answer(200, [product["SKUInfo"]], SKU_INFO.name, has_records=True)

    def _sku_infos(self, request: Request) -> Answer:
        if request.method != "GET":
            return _not_allowed(request.method)
        query, quirks = _query(request), self._store.quirks
        infos = kept((p["SKUInfo"] for p in self._store.rows("products")), SKU_FILTERS, query, quirks)
        return listing(infos, query, quirks, cap=RESOURCES["products"].cap, name=SKU_INFO.name)

    def _settings(self, request: Request) -> Answer:
        if request.method != "GET":
            return _not_allowed(request.method)
        information = {
            "StoreName": "Sandbox Teas",
            "StoreSlogan": "",
            "StoreLogo": "",
            "StoreEmail": "store@example.com",
            "StoreURL": self._store.store_url,
            "StoreSecureURL": self._store.store_url,
        }
        merchant = {"Company": "Sandbox Teas LLC", "Address1": "1 Harbor Road", "City": "Savannah"}
        standards = {
            "StoreTimeZone": self._store.time_zone,
            "CurrencySymbol": "$",
            "DecimalPlacesOnPrice": 2,
            "CurrencyCode": self._store.currency,
        }
        settings = {
            "StoreInformation": information,
            "MerchantInformation": merchant,
            "StoreStandards": standards,
        }
        return Answer(200, [settings], "StoreSettings")

    def _webhooks(self, request: Request, rest: list[str]) -> Answer:
        registered, query, quirks = self._store.webhooks.registered, _query(request), self._store.quirks
        match request.method, rest:
            case "GET", []:
                return listing(registered.values(), query, quirks, name=WEBHOOKS.name)
            case "GET", ["events"]:
                events = [{"EventType": i, "EventName": n} for i, n in quirks.webhook_events.items()]
                return listing(kept(events, EVENT_FILTERS, query, quirks), query, quirks, name="WebhookEvent")
            case "POST", []:
                return self._enveloped([self._register(sent) for sent in _objects(request)])
            case "PUT", []:
                changes = [(whole(sent, "Id"), sent) for sent in _objects(request)]
                return self._enveloped([self._change_webhook(key, sent) for key, sent in changes])
            case method, [] | ["events"]:
                return _not_allowed(method)
            case method, [text] if text.isdecimal() and len(text) <= LONGEST_KEY and int(text) in registered:
                return self._webhook(request, method, int(text))
        return error(404, NOT_FOUND)

    def _webhook(self, request: Request, method: str, webhook_id: int) -> Answer:
        registered = self._store.webhooks.registered
        match method:
            case "GET":
                return Answer(200, [registered[webhook_id]], WEBHOOKS.name, has_records=True)
            case "PUT":
                return self._single(self._change_webhook(webhook_id, _object(request)))
            case "DELETE":
                del registered[webhook_id]
                self._store.on_change("webhooks", webhook_id)
                return Answer(200, [result("Id", webhook_id, 200, DELETED_MESSAGE)])
        return _not_allowed(method)

    def _register(self, sent: Mapping[str, Any]) -> Record:
        given, store = by_name(sent), self._store
        if missing := [name for name in NEEDED_OF_WEBHOOKS if given.get(name.lower()) in (None, "")]:
            return result("Id", 0, 400, f"{missing[0]} is required")
        try:
            hook = created(WEBHOOKS, sent, store.quirks, lambda _: 0)
        except UnfitError as unfit:
            return result("Id", 0, 400, str(unfit))
        if hook["EventType"] not in store.quirks.webhook_events:
            return result("Id", 0, 400, "EventType is not an event")
        if (form := _form(hook)) is None:
            return result("Id", 0, 400, WRONG_FORMAT)
        now = store.now()
        hook |= {"Id": store.webhooks.new_id(), "DateCreated": now, "DateUpdated": now, "Format": form}
        store.webhooks.registered[hook["Id"]] = hook
        store.on_change("webhooks", hook["Id"])
        return new("Id", hook["Id"])

    def _change_webhook(self, webhook_id: int, sent: Mapping[str, Any]) -> Record:
        registered = self._store.webhooks.registered
        if webhook_id not in registered:
            return result("Id", webhook_id, 404, "Webhook not found")
        # The event cannot be changed.
        wanted = {name: value for name, value in sent.items() if name.lower() != "eventtype"}
        try:
            after = merged(WEBHOOKS, registered[webhook_id], wanted, self._store.quirks)
        except UnfitError as unfit:
            return result("Id", webhook_id, 400, str(unfit))
        if (form := _form(after)) is None:
            return result("Id", webhook_id, 400, WRONG_FORMAT)
        registered[webhook_id] = {**after, "Format": form, "DateUpdated": self._store.now()}
        self._store.on_change("webhooks", webhook_id)
        return updated("Id", webhook_id)


def _form(hook: Record) -> str | None:
    """The form of a webhook's deliveries as it is kept, None where it is none."""
    form = str(hook["Format"]).strip().upper() or "JSON"
    return form if form in ("JSON", "XML") else None


def _query(request: Request) -> Mapping[str, str]:
    return {name.lower(): value for name, value in request.query.items()}


def _objects(request: Request) -> list[Mapping[str, Any]]:
    """The body as objects: one alone or an array of them."""
    is_xml = form_of(request.headers.get("content-type", "")) == "xml"
    try:
        body = from_xml(request.body) if is_xml else decode(request.body)
    except (ValueError, RecursionError):
        raise UnfitError(f"The request body is not {'XML' if is_xml else 'JSON'}") from None
    found = body if isinstance(body, list) else [body]
    if not found or not all(isinstance(item, dict) for item in found):
        raise UnfitError("The request body holds no records")
    return found


def _object(request: Request) -> Mapping[str, Any]:
    found = _objects(request)
    if len(found) != 1:
        raise UnfitError("Exactly one record is expected")
    return found[0]


def _not_allowed(method: str) -> Answer:
    return Answer(405, {"Message": METHOD_NOT_ALLOWED_MESSAGE.format(method=method)}, "Error")
