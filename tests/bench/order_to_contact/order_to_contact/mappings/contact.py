"""The order as a contact."""

from __future__ import annotations

from tagline import mapping
from tagline.connectors.dataverse import Contact
from tagline.connectors.shift4shop import Order
from tagline.mapping.transforms import cut


@mapping
def to_contact(order: Order) -> Contact:
    """Known by the order's number; its text follows what the merchant changes."""
    return Contact(
        tl_customerkey=f"order-{order.OrderID}",
        firstname=cut(order.BillingFirstName, 50),
        lastname=cut(order.BillingLastName, 50),
        emailaddress1=cut(order.BillingEmail, 100),
        address1_city=cut(order.BillingCity, 80),
        jobtitle=f"status {order.OrderStatusID}",
        description=f"{order.OrderAmount}",
    )
