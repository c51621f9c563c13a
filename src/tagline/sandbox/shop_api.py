"""The resources of the shop's REST API: which address does what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tagline.sandbox.catalogue import Product
from tagline.sandbox.shop_fields import EVENTS, STATUSES, Record
from tagline.sandbox.shop_lists import error, listing, order_filter, result, shop_json
from tagline.sandbox.shop_webhooks import Webhooks
from tagline.sandbox.shop_writes import UnfitError, merged_order, merged_shipment, updated, written
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import decode

CHILD_LISTS = {
    "items": "OrderItemList",
    "shipments": "ShipmentList",
    "transactions": "TransactionList",
    "questions": "QuestionList",
}
WEBHOOK_CHANGEABLE = ("Name", "Url", "Enabled", "Format")


class Store(Protocol):
    """What the API needs of the shop it belongs to."""

    orders: dict[int, Record]
    webhooks: Webhooks
    products: tuple[Product, ...]
    time_zone: str
    currency: str

    def now(self) -> str: ...
    def replace_by_put(self, order: Record) -> None: ...


class ShopApi:
    """Routes an authenticated request below the API's root."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._resources: Mapping[str, Callable[[Request, list[str]], Response | None]] = {
            "orders": self._orders,
            "products": self._products,
            "orderstatus": self._statuses,
            "webhooks": self._webhooks,
            "storesettings": self._settings,
        }

    def route(self, request: Request, path: str) -> Response:
        """
        Answer one request.

        Raises:
            BadParameterError: A query parameter cannot be read.
            UnfitError: The body cannot be taken.
        """
        name, *rest = [segment.lower() for segment in path.split("/")]
        resource = self._resources.get(name)
        answer = resource(request, rest) if resource else None
        return error(404, "The requested resource was not found") if answer is None else answer

    def _orders(self, request: Request, rest: list[str]) -> Response | None:
        match request.method, rest:
            case "GET", []:
                query = _query(request)
                keep = order_filter(query)
                return listing([o for o in self._store.orders.values() if keep(o)], query, "orders")
            case "PUT", []:
                return written([self._put_order(_id(sent, "OrderID"), sent) for sent in _objects(request)])
            case "GET", [order_id]:
                order = self._order(order_id)
                return None if order is None else shop_json([order])
            case "PUT", [order_id]:
                return self._put_one(order_id, _objects(request))
            case "GET", [order_id, child] if child in CHILD_LISTS:
                order = self._order(order_id)
                return None if order is None else listing(order[CHILD_LISTS[child]], _query(request), child)
            case "PUT", [order_id, "shipments"]:
                return self._put_shipments(order_id, _objects(request), None)
            case "PUT", [order_id, "shipments", shipment_id] if shipment_id.isdigit():
                return self._put_shipments(order_id, _objects(request), int(shipment_id))
        return None

    def _order(self, text: str) -> Record | None:
        return self._store.orders.get(int(text)) if text.isdigit() else None

    def _put_one(self, text: str, sent: Sequence[Mapping[str, Any]]) -> Response | None:
        order = self._order(text)
        if order is None or len(sent) != 1:
            return None if order is None else error(400, "Exactly one order is expected")
        answer = self._put_order(order["OrderID"], sent[0])
        return shop_json([answer], int(answer["Status"]))

    def _put_order(self, order_id: int, sent: Mapping[str, Any]) -> Record:
        order = self._store.orders.get(order_id)
        if order is None:
            return result("OrderID", order_id, 404, "Order not found")
        try:
            self._store.replace_by_put(merged_order(order, sent, self._store.now()))
        except UnfitError as unfit:
            return result("OrderID", order_id, 400, str(unfit))
        return updated("OrderID", order_id)

    def _put_shipments(
        self, text: str, sent: Sequence[Mapping[str, Any]], shipment_id: int | None
    ) -> Response | None:
        order = self._order(text)
        if order is None:
            return None
        results = []
        for shipment in sent:
            key = _id(shipment, "ShipmentID") if shipment_id is None else shipment_id
            try:
                order = merged_shipment(order, key, shipment, self._store.now())
            except UnfitError as unfit:
                results.append(result("ShipmentID", key, 400, str(unfit)))
            except KeyError:
                results.append(result("ShipmentID", key, 404, "Shipment not found"))
            else:
                results.append(updated("ShipmentID", key))
        if any(r["Status"] == "200" for r in results):
            self._store.replace_by_put(order)
        if shipment_id is not None and results[0]["Status"] == "404":
            return None
        return written(results)

    def _products(self, request: Request, rest: list[str]) -> Response | None:
        if request.method != "GET" or len(rest) > 1:
            return None
        query = _query(request)
        sku = query.get("sku", "").strip().casefold()
        wanted = rest[0] if rest else ""
        found = [
            _product(p, self._store.now())
            for p in self._store.products
            if (not sku or p.sku.casefold() == sku) and (not wanted or str(p.catalog_id) == wanted)
        ]
        return listing(found, query, "products")

    def _statuses(self, request: Request, rest: list[str]) -> Response | None:
        if request.method != "GET" or len(rest) > 1:
            return None
        found: list[Record] = [
            {"OrderStatusID": i, "Sorting": i, "StatusDefinition": text, "StatusText": text, "Visible": True}
            for i, text in STATUSES.items()
            if not rest or rest[0] == str(i)
        ]
        return listing(found, {"limit": "500", **_query(request)}, "orderstatus") if found else None

    def _settings(self, request: Request, rest: list[str]) -> Response | None:
        if request.method != "GET" or rest:
            return None
        standards = {
            "StoreTimeZone": self._store.time_zone,
            "CurrencySymbol": "$",
            "DecimalPlacesOnPrice": 2,
            "CurrencyCode": self._store.currency,
        }
        information = {"StoreName": "Sandbox Teas", "StoreEmail": "store@example.com"}
        return shop_json([{"StoreInformation": information, "StoreStandards": standards}])

    def _webhooks(self, request: Request, rest: list[str]) -> Response | None:
        registered = self._store.webhooks.registered
        match request.method, rest:
            case "GET", []:
                return listing(list(registered.values()), _query(request), "webhooks")
            case "GET", ["events"]:
                events: list[Record] = [{"EventType": i, "EventName": n} for i, n in EVENTS.items()]
                return listing(events, _query(request), "events")
            case "POST", []:
                return shop_json([self._register(sent) for sent in _objects(request)], 201)
            case "PUT", []:
                return written([self._change_webhook(_id(sent, "Id"), sent) for sent in _objects(request)])
            case method, [text] if text.isdigit() and int(text) in registered:
                if method == "GET":
                    return shop_json([registered[int(text)]])
                if method == "PUT":
                    return written([self._change_webhook(int(text), sent) for sent in _objects(request)])
                if method == "DELETE":
                    del registered[int(text)]
                    return shop_json([result("Id", text, 200, "deleted successfully")])
        return None

    def _register(self, sent: Mapping[str, Any]) -> Record:
        if missing := [name for name in ("Name", "Url", "EventType", "Enabled") if name not in sent]:
            raise UnfitError(f"{missing[0]} is required")
        if int(sent["EventType"]) not in EVENTS:
            raise UnfitError("EventType is not an event")
        webhook_id = self._store.webhooks.new_id()
        now = self._store.now()
        self._store.webhooks.registered[webhook_id] = {
            "Id": webhook_id,
            "Name": str(sent["Name"]),
            "Url": str(sent["Url"]),
            "EventType": int(sent["EventType"]),
            "DateCreated": now,
            "DateUpdated": now,
            "Format": str(sent.get("Format", "JSON")),
            "Enabled": sent["Enabled"] in (True, 1, "1", "true", "True"),
        }
        return result("Id", webhook_id, 201, "Created successfully")

    def _change_webhook(self, webhook_id: int, sent: Mapping[str, Any]) -> Record:
        registered = self._store.webhooks.registered
        if webhook_id not in registered:
            return result("Id", webhook_id, 404, "Webhook not found")
        given = {name: sent[name] for name in WEBHOOK_CHANGEABLE if name in sent}
        if "Enabled" in given:
            given["Enabled"] = given["Enabled"] in (True, 1, "1", "true", "True")
        registered[webhook_id] = {**registered[webhook_id], **given, "DateUpdated": self._store.now()}
        return updated("Id", webhook_id)


def _query(request: Request) -> Mapping[str, str]:
    return {name.lower(): value for name, value in request.query.items()}


def _objects(request: Request) -> list[Mapping[str, Any]]:
    """The body as objects: one alone or an array of them."""
    try:
        body = decode(request.body)
    except ValueError:
        raise UnfitError("The request body is not JSON") from None
    found = body if isinstance(body, list) else [body]
    if not found or not all(isinstance(item, dict) for item in found):
        raise UnfitError("The request body holds no records")
    return found


def _id(sent: Mapping[str, Any], name: str) -> int:
    value = next((v for k, v in sent.items() if k.lower() == name.lower()), None)
    try:
        return int(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UnfitError(f"{name} is required") from None


def _product(product: Product, stamp: str) -> Record:
    """A product with the fields an order needs."""
    return {
        "SKUInfo": {
            "CatalogID": product.catalog_id,
            "SKU": product.sku,
            "Name": product.name,
            "Cost": product.price / 2,
            "Price": product.price,
            "RetailPrice": product.price,
            "SalePrice": product.price,
            "OnSale": False,
            "Stock": product.weight * 40,
        },
        "LastUpdate": stamp,
        "Weight": product.weight,
    }
