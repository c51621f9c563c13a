"""The buyer as an account."""

from __future__ import annotations

from order_to_cash.settings import OrderToCashSettings
from order_to_cash.transforms import account_name, bill_recipient, customer_key
from tagline import KEEP, Found, mapping
from tagline.connectors.dataverse import Account
from tagline.connectors.shift4shop import Order
from tagline.mapping.transforms import cut, fill_blank


@mapping
def to_account(order: Order, current: Found | None, settings: OrderToCashSettings) -> Account:
    """The buyer of an order becomes an account; only what is blank there is filled, people maintain the rest."""
    return Account(
        accountid=current.id
        if current
        else KEEP,  # addressed by its id, a guest's row takes the customer's key
        tl_customerkey=customer_key(order, settings),
        name=fill_blank(current, "name", cut(account_name(order), 160)),
        emailaddress1=fill_blank(current, "emailaddress1", order.BillingEmail),
        telephone1=fill_blank(current, "telephone1", order.BillingPhoneNumber),
        address1_name=fill_blank(current, "address1_name", cut(bill_recipient(order), 200)),
        address1_line1=fill_blank(current, "address1_line1", order.BillingAddress),
        address1_line2=fill_blank(current, "address1_line2", order.BillingAddress2),
        address1_city=fill_blank(current, "address1_city", cut(order.BillingCity, 80)),
        address1_stateorprovince=fill_blank(current, "address1_stateorprovince", cut(order.BillingState, 50)),
        address1_postalcode=fill_blank(current, "address1_postalcode", order.BillingZipCode),
        address1_country=fill_blank(current, "address1_country", order.BillingCountry),
    )
