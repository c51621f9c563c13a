"""One order, one effect."""

from order_to_contact.connections import shop
from order_to_contact.mappings.contact import to_contact
from order_to_contact.settings import NoSettings
from tagline import flow, upsert
from tagline.connectors.shift4shop import Order


@flow(on=[shop.order_placed, shop.order_changed], key=Order.key)
async def order_to_contact(order: Order, settings: NoSettings) -> None:
    """The order stands as a contact."""
    await upsert(to_contact(order))
