"""Customers and their groups. Field names, lengths and quirks: reference/shift4shop-api.md section 7."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.shift4shop.models.base import Code, Flag, Number, ShopModel, Text, Whole
from tagline.domain.model import Remote, column


class Customer(ShopModel):
    """A registered customer; guests stand on their orders alone. The hash that the shop returns as Password is no field."""

    remote: ClassVar[Remote] = Remote("shift4shop", "Customer", "Customers", "CustomerID", (("Email",),))

    CustomerID: Whole = column(update=False, default=0, doc="Primary key.")
    Email: Text = column(max_length=100, default="", personal=True)
    BillingCompany: Text = column(max_length=255, default="", personal=True)
    BillingFirstName: Text = column(max_length=50, default="", personal=True)
    BillingLastName: Text = column(max_length=50, default="", personal=True)
    BillingAddress1: Text = column(max_length=255, default="", personal=True)
    BillingAddress2: Text = column(max_length=50, default="", personal=True)
    BillingCity: Text = column(max_length=100, default="")
    BillingState: Text = column(max_length=100, default="")
    BillingZipCode: Code = column(max_length=20, default="", personal=True)
    BillingCountry: Text = column(max_length=100, default="", doc="Two letters.")
    BillingPhoneNumber: Code = column(max_length=50, default="", personal=True)
    BillingTaxID: Code = column(default="", personal=True)
    ShippingCompany: Text = column(max_length=255, default="", personal=True)
    ShippingFirstName: Text = column(max_length=50, default="", personal=True)
    ShippingLastName: Text = column(max_length=50, default="", personal=True)
    ShippingAddress1: Text = column(max_length=255, default="", personal=True)
    ShippingAddress2: Text = column(max_length=50, default="", personal=True)
    ShippingCity: Text = column(max_length=100, default="")
    ShippingState: Text = column(max_length=100, default="")
    ShippingZipCode: Code = column(max_length=20, default="", personal=True)
    ShippingCountry: Text = column(max_length=100, default="", doc="Two letters.")
    ShippingPhoneNumber: Code = column(max_length=50, default="", personal=True)
    ShippingAddressType: Whole = column(default=0)
    CustomerGroupID: Whole = column(default=0, doc="0 is no group.")
    Enabled: Flag = column(default=False)
    MailList: Flag = column(default=False)
    NonTaxable: Flag = column(default=False)
    DisableBillingSameAsShipping: Flag = column(default=False)
    Comments: Text = column(max_length=255, default="", personal=True)
    AdditionalField1: Text = column(default="", personal=True)
    AdditionalField2: Text = column(default="", personal=True)
    AdditionalField3: Text = column(default="", personal=True)
    TotalStoreCredit: Number = column(create=False, update=False, default=Decimal(0))


class CustomerGroup(ShopModel):
    """A group of customers, which decides their price level."""

    remote: ClassVar[Remote] = Remote("shift4shop", "CustomerGroup", "CustomerGroups", "CustomerGroupID")

    CustomerGroupID: Whole = column(update=False, default=0, doc="Primary key.")
    Name: Text = column(max_length=150, default="")
    Description: Text = column(default="")
    MinimumOrder: Number = column(default=Decimal(0), doc="In the store's currency.")
    NonTaxable: Flag = column(default=False)
    AllowRegistration: Flag = column(default=False)
    DisableRewardPoints: Flag = column(default=False)
    AutoApprove: Flag = column(default=False)
    RegistrationMessage: Text = column(default="")
    PriceLevel: Whole = column(default=0, doc="1 to 10, of the products' PriceLevel1 to 10; 0 is none.")
