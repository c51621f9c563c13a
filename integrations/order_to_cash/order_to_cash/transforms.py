"""Small typed functions that the mappings and the flow name. Facts about the shop: reference/shift4shop-api.md section 5."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, TypeVar

from order_to_cash.settings import OrderToCashSettings, Stage
from tagline import KEEP, Found, Model, Ref, Written, reject
from tagline.connectors.dataverse import Account, Contact, UnitOfMeasure
from tagline.connectors.shift4shop import Order, OrderItem, Shipment
from tagline.domain.model import Keep
from tagline.mapping.transforms import (
    allocate,
    concat,
    email_key,
    first_given,
    money,
    safe_key,
    strip_html,
)

M = TypeVar("M", bound=Model)

CENT: Final = Decimal("0.01")

UNNAMED: Final = "Unnamed customer"

NOT_COMPLETED: Final = 7
"""An abandoned checkout; the shop lists it among the orders."""

STAGES: Final = {
    1: Stage.OPEN,  # New
    2: Stage.OPEN,  # Processing
    3: Stage.OPEN,  # Partial: one of several shipments has gone
    4: Stage.FULFILLED,  # Shipped
    5: Stage.CANCELLED,  # Cancel
    6: Stage.OPEN,  # Hold
    11: Stage.OPEN,  # Unpaid: an offline payment is awaited
    13: Stage.OPEN,  # Review
}
"""The shop's fixed statuses; its label is the merchant's to change, its number is not."""

AGREEING: Final = {
    Stage.OPEN: (0, 1),  # Active, Submitted
    Stage.FULFILLED: (0, 1, 3, 4),  # still to be fulfilled, Fulfilled, Invoiced
    Stage.CANCELLED: (0, 1, 2),  # still to be cancelled, Canceled
}
"""Values of `statecode` from which an order reaches a stage, or at which it has."""


# -- the state of an order ---------------------------------------------------------------------------------------------


def stage_of(order: Order, settings: OrderToCashSettings) -> Stage:
    """How far the order has come; a status nobody gave a meaning ends as the dead letter `status-unmapped`."""
    stage = STAGES.get(order.OrderStatusID) or settings.custom_statuses.get(order.OrderStatusID)
    if stage is None:
        reject(
            "status-unmapped",
            f"order status {order.OrderStatusID} has no meaning here",
            field="OrderStatusID",
            hint="give it a meaning in the setting custom_statuses, deploy, and redrive",
        )
    return stage


def is_locked(sales_order: Found | None) -> bool:
    """Whether the sales order exists and can no longer be edited: from Submitted on."""
    return sales_order is not None and sales_order.values.get("statecode") not in (None, 0)


def agrees(order: Order, sales_order: Found, stage: Stage) -> bool:
    """Whether a locked sales order says what the shop says: the same total, and a state that leads to the stage."""
    return sales_order.values.get("totalamount") == money(order.OrderAmount) and (
        sales_order.values.get("statecode") in AGREEING[stage]
    )


# -- keys and names ----------------------------------------------------------------------------------------------------


def order_key(order: Order, settings: OrderToCashSettings) -> str:
    """Key of the sales order: the store and its OrderID, which unlike the invoice number is never edited."""
    return safe_key(settings.store, order.OrderID)


def line_key(item: OrderItem, order: Order, settings: OrderToCashSettings) -> str:
    """Key of an order line that sells a product."""
    return safe_key(settings.store, order.OrderID, item.ItemIndexID)


def text_line_key(item: OrderItem, order: Order, settings: OrderToCashSettings) -> str:
    """Key of a line written as text; another one, because Dataverse never turns such a line into a product line."""
    return safe_key(settings.store, order.OrderID, item.ItemIndexID, "text")


def order_title(order: Order) -> str:
    """What people call the order: its prefix directly followed by its number, as the shop prints it."""
    return f"3dcart order {order.InvoiceNumberPrefix}{order.InvoiceNumber}"


def our_reference(current: str, sales_order: Written, chosen: bool) -> str | Keep:
    """The sales order's id where this field is the chosen one and blank or ours already; else it stays as it is."""
    return sales_order.id if chosen and current in ("", sales_order.id) else KEEP


# -- customers ---------------------------------------------------------------------------------------------------------


def is_personal_email(order: Order, settings: OrderToCashSettings) -> bool:
    """Whether the e-mail stands for one buyer: it is given, and no mailbox that several people read."""
    email = email_key(order.BillingEmail)
    local, at, host = email.partition("@")
    shared = {mailbox.lower() for mailbox in settings.shared_mailboxes}
    return bool(local and at and host) and not {email, local} & shared


def is_known_buyer(order: Order, settings: OrderToCashSettings) -> bool:
    """Whether the order says who bought: a registered customer, or a guest with an e-mail of their own."""
    return order.CustomerID != 0 or is_personal_email(order, settings)


def customer_key(order: Order, settings: OrderToCashSettings) -> str:
    """Key of the buyer: the shop's customer, for a guest what stands for the e-mail."""
    if order.CustomerID:
        return safe_key(settings.store, "customer", order.CustomerID)
    return guest_key(order, settings)


def guest_key(order: Order, settings: OrderToCashSettings) -> str:
    """
    Key of a guest; a customer who bought as one before registering still stands under it.

    It holds 96 bits of a digest and not the e-mail, because keys travel where nothing is encrypted: into journals,
    addresses and logs. That is a pseudonym, not anonymity: who has an e-mail can tell its key.
    """
    digest = hashlib.sha256(email_key(order.BillingEmail).encode()).hexdigest()
    return safe_key(settings.store, "email", digest[:24])


def is_company(order: Order) -> bool:
    """Whether a company buys."""
    return bool(order.BillingCompany)


def person_name(order: Order) -> str:
    """The buyer's full name as the shop has it."""
    return concat(order.BillingFirstName, order.BillingLastName)


def account_name(order: Order) -> str:
    """Name of the account: the company, else the person; an account cannot be without."""
    return first_given(order.BillingCompany, person_name(order), order.BillingEmail) or UNNAMED


def contact_last_name(order: Order) -> str:
    """Last name of the contact; a form without one still needs something to find the person by."""
    return first_given(order.BillingLastName, order.BillingFirstName, order.BillingEmail) or UNNAMED


def row_ref(model: type[M], row: Written) -> Ref[M]:
    """Refer to a row by the id it was written or found under, which needs no escaping and no look-up."""
    return Ref(model, ((model.remote.primary_id, row.id),))


def customer_of(sales_order: Found | None) -> Ref[Account | Contact] | None:
    """The customer a sales order already has; people may have moved it, so it is not worked out again."""
    return sales_order.values.get("customerid") if sales_order is not None else None


# -- addresses ---------------------------------------------------------------------------------------------------------


def first_shipment(order: Order) -> Shipment:
    """The shipment whose address the order carries: the lowest numbered; Dataverse has room for one."""
    return min(order.ShipmentList, key=lambda shipment: shipment.ShipmentNumber, default=Shipment())


def recipient(shipment: Shipment) -> str:
    """To whom a shipment goes: the person, and the company where there is one."""
    person = concat(shipment.ShipmentFirstName, shipment.ShipmentLastName)
    return concat(person, shipment.ShipmentCompany, separator=", ")


def bill_recipient(order: Order) -> str:
    """To whom the bill goes: the person, and the company where there is one."""
    return concat(person_name(order), order.BillingCompany, separator=", ")


# -- money -------------------------------------------------------------------------------------------------------------


def freight(order: Order) -> Decimal:
    """Shipping of the whole order. `ShipmentTax` repeats the order's tax and is never part of it."""
    return money(sum((shipment.ShipmentCost for shipment in order.ShipmentList), Decimal(0)))


def taxes(order: Order) -> Decimal:
    """The order's three taxes together."""
    return money(order.SalesTax + order.SalesTax2 + order.SalesTax3)


def discount(order: Order) -> Decimal:
    """The order's discount. A gift certificate is a payment and no part of it."""
    return money(order.OrderDiscount)


def stated_amount(item: OrderItem) -> Decimal:
    """What a row says it comes to: price with options, times quantity; not always whole cents."""
    return (item.ItemUnitPrice + item.ItemOptionPrice) * item.ItemQuantity


def total_adds_up(order: Order) -> bool:
    """
    Whether the shop's total is its rows with options + shipping + taxes - discount, to the cent.

    Source: exact in 306 of 306 recorded orders, reference/shift4shop-api.md 5.1.
    """
    stated = (
        sum((stated_amount(item) for item in order.OrderItemList), Decimal(0))
        + sum((shipment.ShipmentCost for shipment in order.ShipmentList), Decimal(0))
        + (order.SalesTax + order.SalesTax2 + order.SalesTax3)
        - order.OrderDiscount
    )
    return money(stated) == money(order.OrderAmount)


def row_amounts(order: Order) -> tuple[Decimal, ...]:
    """
    What each row comes to in whole cents, so that the rows sum to the order's goods.

    A row of whole cents keeps its amount; cents lost where a percentage or a fraction of a unit left more
    decimals go to the largest remainders, earlier rows first.
    """
    if not order.OrderItemList:
        return ()
    stated = [stated_amount(item) for item in order.OrderItemList]
    goods = money(order.OrderAmount) - freight(order) - taxes(order) + discount(order)
    floors = [amount.quantize(CENT, ROUND_FLOOR) for amount in stated]
    each, more = divmod(int((goods - sum(floors)) / CENT), len(floors))
    by_remainder = sorted(range(len(floors)), key=lambda n: floors[n] - stated[n])
    lifted = set(by_remainder[:more])
    return tuple(floor + (each + (n in lifted)) * CENT for n, floor in enumerate(floors))


def row_amount(item: OrderItem, order: Order) -> Decimal:
    """What one row of the order comes to in whole cents; see `row_amounts`."""
    return _of_row(item, order, row_amounts(order), money(stated_amount(item)))


def row_tax(item: OrderItem, order: Order) -> Decimal:
    """
    The row's share of the order's tax: by amount, largest remainder, so that the shares sum to the tax.

    The shop has tax on the header only, Dataverse only on lines. A discount row bears none.
    """
    bearing = [max(amount, Decimal(0)) for amount in row_amounts(order)]
    return _of_row(item, order, allocate(taxes(order), bearing) if bearing else (), Decimal(0))


def _of_row(item: OrderItem, order: Order, parts: Sequence[Decimal], otherwise: Decimal) -> Decimal:
    """The part that belongs to a row; a row that is none of the order's stands for itself."""
    indexes = [other.ItemIndexID for other in order.OrderItemList]
    return dict(zip(indexes, parts, strict=True)).get(item.ItemIndexID, otherwise)


def unit_price(item: OrderItem, amount: Decimal) -> Decimal:
    """
    Price of one unit in whole cents: the shopper's, options included, wherever it has whole cents and covers the amount.

    Otherwise the next cent that does; `line_discount` takes back what is too much. Dataverse knows no
    negative line discount, so the price never stays below.
    """
    quantity = item.ItemQuantity
    stated = item.ItemUnitPrice + item.ItemOptionPrice
    if not quantity:
        return money(stated)
    if stated == money(stated) and money(stated * quantity) >= amount:
        return money(stated)
    return (amount / quantity).quantize(CENT, ROUND_CEILING if quantity > 0 else ROUND_FLOOR)


def line_discount(item: OrderItem, amount: Decimal) -> Decimal:
    """What price times quantity is more than the row's amount; zero unless the price has no whole cents."""
    return money(unit_price(item, amount) * item.ItemQuantity) - amount


# -- rows --------------------------------------------------------------------------------------------------------------


def is_discount_row(item: OrderItem) -> bool:
    """Whether a row is a discount that the shop shows as an item: no price, and a negative option price."""
    return item.ItemUnitPrice == 0 and item.ItemOptionPrice < 0


def skus(order: Order) -> tuple[str, ...]:
    """The SKUs that the order sells, bundle parts included, each once."""
    sold = (item.ItemID for item in order.OrderItemList if not is_discount_row(item))
    return tuple(dict.fromkeys(sku for sku in sold if sku))


def product_of(item: OrderItem, products: Mapping[str, Found]) -> Found | None:
    """The product that a row sells; None for a discount, and where no active product has the SKU."""
    product = None if is_discount_row(item) else products.get(item.ItemID)
    return product if product is not None and product.values.get("statecode") == 0 else None


def rows_are_distinct(order: Order) -> bool:
    """Whether every row has a key of its own within the order."""
    indexes = [item.ItemIndexID for item in order.OrderItemList]
    return len(indexes) == len(set(indexes))


def default_unit(product: Found) -> Ref[UnitOfMeasure] | None:
    """The unit a product is sold in; a line of an existing product cannot be priced without one."""
    return product.values.get("defaultuomid")


def row_text(item: OrderItem) -> str:
    """Name and options of a row as one line of plain text; its SKU where the shop says nothing more."""
    return first_given(strip_html(item.ItemDescription), item.ItemID) or "Item without a name"
