"""The order's header."""

from __future__ import annotations

from order_to_cash.settings import OrderToCashSettings
from order_to_cash.transforms import (
    bill_recipient,
    discount,
    first_shipment,
    freight,
    order_key,
    order_title,
    recipient,
)
from tagline import Ref, mapping, ref
from tagline.connectors.dataverse import Account, Contact, PriceLevel, SalesOrder, TransactionCurrency
from tagline.connectors.shift4shop import Order
from tagline.mapping.transforms import blank_to_none, cut


@mapping
def to_sales_order(
    order: Order, customer: Ref[Account | Contact], settings: OrderToCashSettings
) -> SalesOrder:
    """A shop order becomes a sales order in its first state; Dataverse computes the totals from the lines."""
    ship = first_shipment(order)
    return SalesOrder(
        tl_orderkey=order_key(order, settings),
        name=order_title(order),
        customerid=customer,
        pricelevelid=ref(PriceLevel, name=settings.price_level),
        transactioncurrencyid=ref(TransactionCurrency, isocurrencycode=order.store_currency),
        tl_orderedon=order.OrderDate,
        billto_name=blank_to_none(cut(bill_recipient(order), 200)),
        billto_line1=blank_to_none(order.BillingAddress),
        billto_line2=blank_to_none(order.BillingAddress2),
        billto_city=blank_to_none(cut(order.BillingCity, 80)),
        billto_stateorprovince=blank_to_none(cut(order.BillingState, 50)),
        billto_postalcode=blank_to_none(order.BillingZipCode),
        billto_country=blank_to_none(order.BillingCountry),
        billto_telephone=blank_to_none(order.BillingPhoneNumber),
        shipto_name=blank_to_none(cut(recipient(ship), 200)),
        shipto_line1=blank_to_none(cut(ship.ShipmentAddress, 250)),
        shipto_line2=blank_to_none(ship.ShipmentAddress2),
        shipto_city=blank_to_none(ship.ShipmentCity),
        shipto_stateorprovince=blank_to_none(ship.ShipmentState),
        shipto_postalcode=blank_to_none(ship.ShipmentZipCode),
        shipto_country=blank_to_none(ship.ShipmentCountry),
        shipto_telephone=blank_to_none(ship.ShipmentPhone),
        freightamount=freight(order),
        discountamount=discount(order),
    )
