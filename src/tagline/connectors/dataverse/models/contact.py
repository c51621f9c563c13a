"""Contacts."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.dataverse.models.account import Account
from tagline.domain.model import Model, Ref, Remote, column


class Contact(Model):
    """A person."""

    remote: ClassVar[Remote] = Remote("dataverse", "contact", "contacts", "contactid", (("tl_customerkey",),))

    contactid: str | None = column()
    tl_customerkey: str | None = column(
        max_length=100, doc="The shop's customer, by id or a digest of the e-mail; address-safe."
    )
    firstname: str | None = column(max_length=50, personal=True)
    lastname: str | None = column(max_length=50, personal=True)
    fullname: str | None = column(
        create=False, update=False, max_length=160, personal=True, doc="Made of the other names."
    )
    jobtitle: str | None = column(max_length=100)
    emailaddress1: str | None = column(max_length=100, personal=True)
    telephone1: str | None = column(max_length=50, personal=True)
    mobilephone: str | None = column(max_length=50, personal=True)
    parentcustomerid: Ref[Account] | None = column()
    description: str | None = column(max_length=2000)
    address1_name: str | None = column(max_length=200, personal=True)
    address1_line1: str | None = column(max_length=250, personal=True)
    address1_line2: str | None = column(max_length=250, personal=True)
    address1_line3: str | None = column(max_length=250, personal=True)
    address1_city: str | None = column(max_length=80)
    address1_stateorprovince: str | None = column(max_length=50)
    address1_postalcode: str | None = column(max_length=20, personal=True)
    address1_country: str | None = column(max_length=80)
    statecode: int | None = column(create=False, options=(0, 1))
    statuscode: int | None = column(options=(1, 2))


# An account names a contact and a contact its account: one of the two has to be completed afterwards.
Account.model_rebuild(_types_namespace={"Contact": Contact})
