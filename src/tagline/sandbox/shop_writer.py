"""POST, PUT and DELETE: each record that was sent becomes one result. Source: 3dcart notes, sections 2, 5 and 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tagline.sandbox.assumptions import DELETED_MESSAGE
from tagline.sandbox.shop_answers import new, result, updated
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.shop_merge import created_order, merged_order, merged_part, with_part
from tagline.sandbox.shop_resources import RESOURCES, Resource
from tagline.sandbox.shop_seed import hashed
from tagline.sandbox.shop_shape import UnfitError, by_name, created, merged, whole
from tagline.sandbox.shop_store import Store

Sent = Mapping[str, Any]
ONE = Decimal(1)


class Writer:
    """Writes to a store; what does not fit becomes a result, never a raised error."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, name: str, sent: Sent, *, processed: bool) -> Record:
        """
        Args:
            processed: Whether an order moves the stock.
        """
        make = self._new_order if name == "orders" else self._new_row
        key = RESOURCES[name].key

        def write() -> Record:
            row = make(name, sent)
            if name == "orders":
                self._store.take_in(row, processed=processed)
            else:
                self._store.keep(name, row)
            return new(key, self._store.key_of(name, row))

        return _tried(write, key, 0)

    def change(self, name: str, key: int, sent: Sent) -> Record:
        """Merge into a standing record."""
        resource, standing = RESOURCES[name], self._store.tables[name].get(key)
        if standing is None:
            return result(resource.key, key, 404, f"{resource.shape.name} not found")

        def write() -> Record:
            if name == "orders":
                self._keep_order(merged_order(standing, sent, self._store.quirks, self._store.now()))
            else:
                self._store.keep(name, self._finished(name, self._merged(resource, standing, sent), sent))
            return updated(resource.key, key)

        return _tried(write, resource.key, key)

    def delete(self, name: str, key: int) -> Record:
        """Remove a standing record."""
        self._store.remove(name, key)
        return result(RESOURCES[name].key, key, 200, DELETED_MESSAGE)

    def add_part(self, name: str, key: int, field: str, sent: Sent) -> Record:
        """One more row in a list of a standing record."""
        part, standing = RESOURCES[name].shape.parts[field], self._store.tables[name][key]

        def write() -> Record:
            row = created(part, sent, self._store.quirks, self._store.number)
            if name == "orders":
                if field == "OrderItemList":
                    row = self._complete(row, sent)
                self._keep_order(with_part(standing, field, row, self._store.now()))
            else:
                self._store.keep(name, {**standing, field: [*standing[field], row]})
            return new(part.key, row[part.key])

        return _tried(write, part.key, 0)

    def change_part(self, name: str, key: int, field: str, sent: Sent, part_key: str = "") -> Record:
        """
        Merge into one row of a list.

        Args:
            part_key: The row's key when the address has it; else the body says which.
        """
        part, standing = RESOURCES[name].shape.parts[field], self._store.tables[name][key]
        wanted = part_key or str(by_name(sent).get(part.key.lower(), ""))
        if field == "OrderItemList" and not wanted:
            wanted = _item_of(standing, sent)
        row = next((r for r in standing[field] if str(r[part.key]).casefold() == wanted.casefold()), None)
        if row is None:
            return result(part.key, wanted, 404, f"{part.name} not found")

        def write() -> Record:
            if name == "orders":
                quirks, now = self._store.quirks, self._store.now()
                self._keep_order(merged_part(standing, field, row[part.key], sent, quirks, now))
            else:
                after = merged(part, row, sent, self._store.quirks)
                rows = [after if r is row else r for r in standing[field]]
                self._store.keep(name, {**standing, field: rows})
            return updated(part.key, wanted)

        return _tried(write, part.key, wanted)

    def _keep_order(self, order: Record) -> None:
        self._store.keep("orders", order, raises_event=self._store.quirks.put_triggers_order_changed)

    def _merged(self, resource: Resource, standing: Record, sent: Sent) -> Record:
        if not self._store.quirks.nested_options_are_written:
            sent = {n: v for n, v in sent.items() if n.lower() != "advancedoptionlist"}
        return merged(resource.shape, standing, sent, self._store.quirks)

    def _new_row(self, name: str, sent: Sent) -> Record:
        resource, store = RESOURCES[name], self._store
        row = created(
            resource.shape, sent, store.quirks, lambda key: 0 if key == resource.key else store.number(key)
        )
        holder = row[resource.within] if resource.within else row
        if missing := [field for field in resource.required if not str(holder[field]).strip()]:
            raise UnfitError(f"{missing[0]} is required")
        row = self._finished(name, row, sent)
        holder = row[resource.within] if resource.within else row
        holder[resource.key] = store.number(resource.key)
        if name == "products":
            slug = holder["SKU"].lower().replace(" ", "-")
            row["DateCreated"] = row["DateCreated"] or store.now()[:10] + "T00:00:00"
            row["ProductLink"] = f"{store.store_url}/{slug}_p_{holder['CatalogID']}.html"
        return row

    def _finished(self, name: str, row: Record, sent: Sent) -> Record:
        """What only customers have: a password that nobody sees again, a mail address of their own."""
        if name != "customers":
            return row
        if by_name(sent).get("password"):
            row = {**row, "Password": hashed(row["Password"])}
        mail = row["Email"].strip().casefold()
        if self._store.quirks.customer_email_is_unique and any(
            other["Email"].strip().casefold() == mail and other["CustomerID"] != row["CustomerID"]
            for other in self._store.rows("customers")
        ):
            raise UnfitError("Email is in use")
        return row

    def _new_order(self, _name: str, sent: Sent) -> Record:
        store = self._store
        customer = whole(sent, "CustomerID")
        known = customer == 0 or customer in store.tables["customers"]
        if not known and store.quirks.unknown_customer_is_refused:
            raise UnfitError(f"CustomerID {customer} does not exist")
        order = created_order(sent, store.quirks, store.number, self._complete)
        now = store.now()
        order["LastUpdate"] = now
        order["OrderDate"] = order["OrderDate"] or now
        order["InvoiceNumber"] = order["InvoiceNumber"] or order["OrderID"] + 40_000
        order["ContinueURL"] = (
            f"{store.store_url}/continue_order.asp?orderkey=R4M8C2K9V7B1X5Q{order['OrderID']}"
        )
        for item in order["OrderItemList"]:
            item["ItemDateAdded"] = item["ItemDateAdded"] or order["OrderDate"]
        for shipment in order["ShipmentList"]:
            shipment["ShipmentLastUpdate"] = now
            if shipment["ShipmentID"] == 0:
                shipment |= {"ShipmentOrderStatus": order["OrderStatusID"], "ShipmentTax": order["SalesTax"]}
        return order

    def _complete(self, item: Record, sent: Any) -> Record:
        """What an item leaves out comes from the product, or the variant whose options it names."""
        product = self._store.tables["products"].get(item["CatalogID"])
        if product is None and not self._store.quirks.unknown_product_is_refused:
            return item
        if product is None:
            raise UnfitError(f"CatalogID {item['CatalogID']} does not exist")
        info, given = product["SKUInfo"], by_name(sent)
        code = item["ItemOptions"].strip(",").replace(",", "-")
        variant = next((v for v in product["AdvancedOptionList"] if v["AdvancedOptionCode"] == code), None)
        suffix = variant["AdvancedOptionSufix"] if variant else ""
        defaults = {
            "ItemID": suffix or info["SKU"],
            "ItemDescription": info["Name"],
            "ItemUnitPrice": info["SalePrice"] if info["OnSale"] else info["Price"],
            "ItemUnitCost": info["Cost"],
            "ItemWeight": product["Weight"],
            "ItemQuantity": ONE,
        }
        return item | {name: value for name, value in defaults.items() if given.get(name.lower()) is None}


def _item_of(order: Record, sent: Sent) -> str:
    """An item may be named by its product where the row's key is not known."""
    catalog_id = str(by_name(sent).get("catalogid"))
    return next(
        (str(i["ItemIndexID"]) for i in order["OrderItemList"] if str(i["CatalogID"]) == catalog_id), ""
    )


def _tried(write: Callable[[], Record], key: str, value: object) -> Record:
    try:
        return write()
    except UnfitError as unfit:
        return result(key, value, 400, str(unfit))
