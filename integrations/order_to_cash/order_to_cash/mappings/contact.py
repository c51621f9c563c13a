"""The buyer as a person."""

from __future__ import annotations

from order_to_cash.settings import OrderToCashSettings
from order_to_cash.transforms import contact_last_name, customer_key
from tagline import KEEP, Found, Ref, mapping
from tagline.connectors.dataverse import Account, Contact
from tagline.connectors.shift4shop import Order
from tagline.mapping.transforms import cut, fill_blank


@mapping
def to_contact(
    order: Order, current: Found | None, employer: Ref[Account] | None, settings: OrderToCashSettings
) -> Contact:
    """The person who ordered becomes a contact; only what is blank there is filled, people maintain the rest."""
    return Contact(
        contactid=current.id
        if current
        else KEEP,  # addressed by its id, a guest's row takes the customer's key
        tl_customerkey=customer_key(order, settings),
        firstname=fill_blank(current, "firstname", cut(order.BillingFirstName, 50)),
        lastname=fill_blank(current, "lastname", cut(contact_last_name(order), 50)),
        emailaddress1=fill_blank(current, "emailaddress1", order.BillingEmail),
        telephone1=fill_blank(current, "telephone1", order.BillingPhoneNumber),
        parentcustomerid=fill_blank(current, "parentcustomerid", employer),
        address1_line1=fill_blank(current, "address1_line1", order.BillingAddress),
        address1_line2=fill_blank(current, "address1_line2", order.BillingAddress2),
        address1_city=fill_blank(current, "address1_city", cut(order.BillingCity, 80)),
        address1_stateorprovince=fill_blank(current, "address1_stateorprovince", cut(order.BillingState, 50)),
        address1_postalcode=fill_blank(current, "address1_postalcode", order.BillingZipCode),
        address1_country=fill_blank(current, "address1_country", order.BillingCountry),
    )
