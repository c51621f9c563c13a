"""What the shop learns of its order."""

from __future__ import annotations

from order_to_cash.settings import OrderToCashSettings
from order_to_cash.transforms import our_reference
from tagline import Written, mapping
from tagline.connectors.shift4shop import Order


@mapping(update=True)
def to_shop_reference(order: Order, sales_order: Written, settings: OrderToCashSettings) -> Order:
    """The shop's order carries the id of its sales order in one configured field, unless something else stands there."""
    return Order(
        OrderID=order.OrderID,
        AlternateOrderID=our_reference(
            order.AlternateOrderID, sales_order, settings.write_back_field == "AlternateOrderID"
        ),
        ExternalComments=our_reference(
            order.ExternalComments, sales_order, settings.write_back_field == "ExternalComments"
        ),
    )
