"""Drafts become orders as the shop shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tagline.sandbox.shop_fields import (
    CARD_VERIFICATION,
    ITEM,
    ORDER,
    SHIPMENT,
    TRANSACTION,
    ZERO,
    Record,
    amount_of,
    fresh,
)
from tagline.sandbox.shop_shape import TRACKING_WIDTH
from tagline.sandbox.shoppers import Draft, Line, Payment, option_price

METHODS = {
    Payment.CARD: "Credit Card",
    Payment.PAYPAL: "PayPal",
    Payment.GIFT: "No Payment Required (GC)",
    Payment.GIFT_AND_CARD: "Credit Card",
    Payment.CHECK: "Check by Mail",
}


@dataclass(frozen=True)
class Numbers:
    """What the shop assigns to a new order."""

    order_id: int
    invoice_number: int
    item_ids: Sequence[int]
    transaction_ids: Sequence[int]
    placed: str
    """Store-local time of the order."""
    now: str
    store_url: str


def to_order(draft: Draft, numbers: Numbers) -> Record:
    """The order in its fixed property order; its total is the sum of its parts unless the draft says otherwise."""
    order = fresh(ORDER)
    shopper = draft.shopper
    order |= {
        "InvoiceNumber": numbers.invoice_number,
        "OrderID": numbers.order_id,
        "CustomerID": shopper.customer_id,
        "OrderDate": numbers.placed,
        "OrderStatusID": draft.status,
        "LastUpdate": numbers.now,
        "ContinueURL": f"{numbers.store_url}/continue_order.asp?orderkey=K7Q2M9X4B1T8R5Z{numbers.order_id}",
        "BillingFirstName": shopper.first,
        "BillingLastName": f"{shopper.last} ",
        "BillingCompany": shopper.company,
        "BillingAddress": shopper.street,
        "BillingCity": shopper.city,
        "BillingState": shopper.state,
        "BillingZipCode": shopper.zip,
        "BillingCountry": shopper.country,
        "BillingPhoneNumber": shopper.phone,
        "BillingEmail": shopper.email,
        "BillingPaymentMethod": METHODS[draft.payment],
        "BillingOnLinePayment": draft.payment is not Payment.CHECK,
        "BillingPaymentMethodID": str(40 + list(Payment).index(draft.payment)),
        "OrderItemList": _items(draft, numbers),
        "OrderDiscount": draft.discount,
        "OrderDiscountPromotion": draft.discount,
        "SalesTax": draft.tax,
        "Referer": "Direct",
        "IP": "203.0.113.9",
        "CustomerComments": draft.comments,
    }
    order["ShipmentList"] = [_shipment(draft, order, numbers.now)]
    total = amount_of(order)
    order["OrderAmount"] = total if draft.amount is None else draft.amount
    order["TransactionList"] = _transactions(draft, numbers, total)
    if draft.payment in (Payment.CARD, Payment.GIFT_AND_CARD):
        order |= _card(draft)
    return order


def item_count(draft: Draft) -> int:
    """Rows the order will have, bundle parts included."""
    return sum(1 + len(line.bundle_of) for line in draft.lines)


def _items(draft: Draft, numbers: Numbers) -> list[Record]:
    ids = iter(numbers.item_ids)
    found = []
    for line in draft.lines:
        row = _item(line, next(ids), numbers.placed)
        found.append(row)
        for part in line.bundle_of:
            child = _item(Line(part, line.quantity), next(ids), numbers.placed)
            child |= {
                "ItemUnitPrice": ZERO,
                "ItemOptionPrice": ZERO,
                "ItemDescription": f"Bundle Item: {line.product.sku}<br>{part.name}",
                "ItemPageAdded": "",
                "ItemOptions": "",
                "ItemAdditionalField3": str(row["ItemIndexID"]),
            }
            found.append(child)
    return found


def _item(line: Line, index_id: int, placed: str) -> Record:
    product = line.product
    description, options = product.name, ""
    if product.choices:
        name, price = product.choices[line.choice]
        suffix = f" - ${price:.2f}" if price else ""
        description += f"<br><b>Size:</b>&nbsp;{name}{suffix}"
        options = f",{product.catalog_id * 10 + line.choice}"
    return fresh(ITEM) | {
        "CatalogID": product.catalog_id,
        "ItemIndexID": index_id,
        "ItemID": product.sku,
        "ItemQuantity": Decimal(line.quantity),
        "ItemDescription": description,
        "ItemUnitPrice": product.price,
        "ItemWeight": product.weight,
        "ItemOptionPrice": option_price(line),
        "ItemPageAdded": f"/{product.sku.lower()}_p_{product.catalog_id}.html",
        "ItemDateAdded": placed,
        "ItemUnitCost": (product.price / 2).quantize(Decimal("0.01"), ROUND_HALF_UP),
        "ItemUnitStock": 40 - product.catalog_id % 45,
        "ItemOptions": options,
    }


def _shipment(draft: Draft, order: Record, now: str) -> Record:
    shopper = draft.shopper
    return fresh(SHIPMENT) | {
        "ShipmentLastUpdate": now,
        "ShipmentOrderStatus": draft.status,
        "ShipmentAddress": shopper.street,
        "ShipmentCity": shopper.city,
        "ShipmentCompany": shopper.company,
        "ShipmentCost": draft.shipping,
        "ShipmentCountry": shopper.country,
        "ShipmentEmail": shopper.email,
        "ShipmentFirstName": shopper.first,
        "ShipmentLastName": shopper.last,
        "ShipmentMethodID": 7,
        "ShipmentMethodName": "USPS - Priority Mail",
        "ShipmentShippedDate": order["OrderDate"][:10] if draft.tracking else "",
        "ShipmentPhone": shopper.phone,
        "ShipmentState": shopper.state,
        "ShipmentZipCode": shopper.zip,
        "ShipmentTax": draft.tax,
        "ShipmentWeight": sum((line.product.weight * line.quantity for line in draft.lines), ZERO),
        "ShipmentTrackingCode": draft.tracking.ljust(TRACKING_WIDTH) if draft.tracking else "",
    }


def _transactions(draft: Draft, numbers: Numbers, total: Decimal) -> list[Record]:
    gift = {
        "TransactionMethod": "Gift Certificate",
        "TransactionReference": f"GC-{numbers.order_id:06}",
    }
    online = {
        "TransactionMethod": "PayPal" if draft.payment is Payment.PAYPAL else "Authorize.Net",
        "TransactionID": f"Completed : {numbers.order_id}"
        if draft.payment is Payment.PAYPAL
        else "60012345678",
        "TransactionApproval": "A1B2C3",
        "TransactionGatewayID": 3,
        "TransactionCVV2": "" if draft.payment is Payment.PAYPAL else "M",
        "TransactionResponseText": "This transaction has been approved.",
        "TransactionResponseCode": "1",
    }
    half = (total / 2).quantize(Decimal("0.01"), ROUND_HALF_UP)
    by_payment: dict[Payment, list[tuple[dict[str, Any], Decimal]]] = {
        Payment.CHECK: [],
        Payment.GIFT: [(gift, total)],
        Payment.GIFT_AND_CARD: [(gift, half), (online, total - half)],
    }
    rows = by_payment.get(draft.payment, [(online, total)])
    return [
        fresh(TRANSACTION)
        | {
            "TransactionIndexID": index,
            "OrderID": numbers.order_id,
            "TransactionDateTime": numbers.placed,
            "TransactionAmount": amount,
        }
        | facts
        for index, (facts, amount) in zip(numbers.transaction_ids, rows, strict=False)
    ]


def _card(draft: Draft) -> dict[str, str]:
    return {
        "CardType": "Visa",
        "CardNumber": "XXXX-XXXX-XXXX-1111",
        "CardName": f"{draft.shopper.first} {draft.shopper.last}",
        "CardExpirationMonth": "08",
        "CardExpirationYear": "2029",
        "CardAddress": draft.shopper.street,
        "CardVerification": CARD_VERIFICATION,
    }
