"""The shop's records as JSON objects: fields in their fixed order with their blank values. Source: 3dcart notes, section 5."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tagline.sandbox.assumptions import STATUS_12

Record = dict[str, Any]
"""A JSON object of the shop; doubles are `Decimal`, times are text in store time."""
ZERO: Final = Decimal(0)
CARD_VERIFICATION: Final = "EQ8AAQIDBA=="
"""The opaque constant that stands where a verification code was."""

ORDER: Final[Mapping[str, Any]] = {
    "InvoiceNumberPrefix": "AB-",
    "InvoiceNumber": 0,
    "OrderID": 0,
    "CustomerID": 0,
    "OrderDate": "",
    "OrderStatusID": 1,
    "LastUpdate": "",
    "UserID": "",
    "SalesPerson": "",
    "ContinueURL": "",
    "AlternateOrderID": "",
    "OrderType": "",
    "PaymentTokenID": 0,
    "BillingFirstName": "",
    "BillingLastName": "",
    "BillingCompany": "",
    "BillingAddress": "",
    "BillingAddress2": "",
    "BillingCity": "",
    "BillingState": "",
    "BillingZipCode": "",
    "BillingCountry": "",
    "BillingPhoneNumber": "",
    "BillingEmail": "",
    "BillingPaymentMethod": "",
    "BillingOnLinePayment": False,
    "BillingPaymentMethodID": "",
    "ShipmentList": (),
    "OrderItemList": (),
    "PromotionList": (),
    "OrderDiscount": ZERO,
    "OrderDiscountCoupon": ZERO,
    "OrderDiscountPromotion": ZERO,
    "SalesTax": ZERO,
    "SalesTax2": ZERO,
    "SalesTax3": ZERO,
    "OrderAmount": ZERO,
    "AffiliateCommission": ZERO,
    "TransactionList": (),
    "CardType": "",
    "CardNumber": "",
    "CardName": "",
    "CardExpirationMonth": "",
    "CardExpirationYear": "",
    "CardIssueNumber": "",
    "CardStartMonth": "",
    "CardStartYear": "",
    "CardAddress": "",
    "CardVerification": "",
    "OfflinePaymentFieldList": (),
    "RewardPoints": "",
    "QuestionList": (),
    "Referer": "",
    "IP": "",
    "CustomerComments": "",
    "InternalComments": "",
    "ExternalComments": "",
    "ExternalIdsList": (),
}

SHIPMENT: Final[Mapping[str, Any]] = {
    "ShipmentID": 0,
    "ShipmentLastUpdate": "",
    "ShipmentBoxes": 1,
    "ShipmentInternalComment": "",
    "ShipmentOrderStatus": 1,
    "ShipmentAddress": "",
    "ShipmentAddress2": "",
    "ShipmentAlias": "",
    "ShipmentCity": "",
    "ShipmentCompany": "",
    "ShipmentCost": ZERO,
    "ShipmentCountry": "",
    "ShipmentEmail": "",
    "ShipmentFirstName": "",
    "ShipmentLastName": "",
    "ShipmentMethodID": 0,
    "ShipmentMethodName": "",
    "ShipmentShippedDate": "",
    "ShipmentPhone": "",
    "ShipmentState": "",
    "ShipmentZipCode": "",
    "ShipmentTax": ZERO,
    "ShipmentWeight": ZERO,
    "ShipmentTrackingCode": "",
    "ShipmentUserID": "",
    "ShipmentNumber": 1,
    "ShipmentAddressTypeID": 0,
}

ITEM: Final[Mapping[str, Any]] = {
    "CatalogID": 0,
    "ItemIndexID": 0,
    "ItemID": "",
    "ItemShipmentID": 0,
    "ItemQuantity": ZERO,
    "ItemWarehouseID": 0,
    "ItemDescription": "",
    "ItemUnitPrice": ZERO,
    "ItemWeight": ZERO,
    "ItemOptionPrice": ZERO,
    "ItemAdditionalField1": "",
    "ItemAdditionalField2": "",
    "ItemAdditionalField3": "",
    "ItemPageAdded": "",
    "ItemAvailability": "",
    "ItemDateAdded": "",
    "ItemUnitCost": ZERO,
    "ItemUnitStock": 0,
    "ItemOptions": "",
    "ItemCatalogIDOptions": "",
    "ItemSerial": "",
    "ItemImage1": "",
    "ItemImage2": "",
    "ItemImage3": "",
    "ItemImage4": "",
    "ItemWarehouseLocation": "",
    "ItemWarehouseBin": "",
    "ItemWarehouseAisle": "",
    "ItemWarehouseCustom": "",
    "RecurringOrderFrequency": 0,
}

TRANSACTION: Final[Mapping[str, Any]] = {
    "TransactionIndexID": 0,
    "OrderID": 0,
    "TransactionID": "",
    "TransactionDateTime": "",
    "TransactionType": "Sale",
    "TransactionMethod": "",
    "TransactionAmount": ZERO,
    "TransactionApproval": "",
    "TransactionReference": "",
    "TransactionGatewayID": 0,
    "TransactionCVV2": "",
    "TransactionAVS": "",
    "TransactionResponseText": "",
    "TransactionResponseCode": "",
    "TransactionCaptured": 0,
}

QUESTION: Final[Mapping[str, Any]] = {
    "QuestionAnswerIndexID": 0,
    "OrderID": 0,
    "QuestionID": 0,
    "QuestionTitle": "",
    "QuestionAnswer": "",
    "QuestionType": "",
    "QuestionCheckoutStep": 0,
    "QuestionSorting": 0,
    "QuestionDiscountGroup": 0,
}

LENGTHS: Final[Mapping[str, int]] = {
    "InvoiceNumberPrefix": 50,
    "SalesPerson": 50,
    "BillingFirstName": 100,
    "BillingLastName": 100,
    "BillingCompany": 255,
    "BillingAddress": 200,
    "BillingAddress2": 50,
    "BillingCity": 100,
    "BillingState": 100,
    "BillingZipCode": 20,
    "BillingCountry": 50,
    "BillingPhoneNumber": 30,
    "BillingEmail": 100,
    "CardType": 50,
    "CardNumber": 255,
    "CardName": 200,
    "CardExpirationMonth": 10,
    "CardExpirationYear": 10,
    "CardStartMonth": 10,
    "CardStartYear": 10,
    "CardAddress": 150,
    "CardVerification": 50,
    "IP": 16,
    "ExternalComments": 50,
    "ShipmentAddress": 255,
    "ShipmentAddress2": 50,
    "ShipmentAlias": 100,
    "ShipmentCity": 50,
    "ShipmentCompany": 200,
    "ShipmentCountry": 50,
    "ShipmentEmail": 100,
    "ShipmentFirstName": 100,
    "ShipmentLastName": 50,
    "ShipmentMethodName": 150,
    "ShipmentShippedDate": 50,
    "ShipmentPhone": 50,
    "ShipmentState": 50,
    "ShipmentZipCode": 20,
    "ShipmentTrackingCode": 100,
    "ShipmentUserID": 50,
    "ItemID": 150,
    "ItemAdditionalField1": 255,
    "ItemAdditionalField2": 255,
    "ItemAdditionalField3": 255,
    "ItemPageAdded": 255,
    "ItemAvailability": 150,
    "ItemCatalogIDOptions": 255,
    "ItemWarehouseLocation": 150,
    "ItemWarehouseBin": 150,
    "ItemWarehouseAisle": 150,
    "ItemWarehouseCustom": 150,
    "TransactionID": 50,
    "TransactionType": 10,
    "TransactionMethod": 255,
    "TransactionApproval": 50,
    "TransactionReference": 255,
    "TransactionResponseCode": 50,
    "QuestionType": 10,
}
"""Documented lengths of the text of an order and its parts."""

STATUSES: Final[Mapping[int, str]] = {
    1: "New",
    2: "Processing",
    3: "Partial",
    4: "Shipped",
    5: "Cancel",
    6: "Hold",
    7: "Not Completed",
    8: "Custom 1",
    9: "Custom 2",
    10: "Custom 3",
    11: "Unpaid",
    12: STATUS_12,
    13: "Review",
    14: "POS",
    15: "Custom 4",
    16: "Custom 5",
    17: "Custom 6",
    18: "Custom 7",
    19: "Custom 8",
    21: "Quote",
}


_LISTS: Final = tuple(name for name, value in ORDER.items() if value == ())


def fresh(template: Mapping[str, Any]) -> Record:
    """A blank record in the template's order; lists are its own."""
    record = dict(template)
    for name in _LISTS:
        if name in record:
            record[name] = []
    return record


def amount_of(order: Record) -> Decimal:
    """What the order must come to. Source: 3dcart notes, 5.1, exact in every recorded order."""
    items = sum(
        ((i["ItemUnitPrice"] + i["ItemOptionPrice"]) * i["ItemQuantity"] for i in order["OrderItemList"]),
        ZERO,
    )
    shipping = sum((s["ShipmentCost"] for s in order["ShipmentList"]), ZERO)
    taxes = order["SalesTax"] + order["SalesTax2"] + order["SalesTax3"]
    return Decimal(items + shipping + taxes - order["OrderDiscount"])
