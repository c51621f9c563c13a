"""Events of an organisation as triggers; the table of them is the class that declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, Self, overload

from tagline.connectors.dataverse.models import (
    Account,
    Contact,
    Invoice,
    Product,
    ProductInventory,
    ProductPriceLevel,
    PurchaseOrder,
    SalesOrder,
    SalesOrderDetail,
)
from tagline.domain.model import Model
from tagline.domain.system import System, Trigger


@dataclass(frozen=True)
class Event:
    """What happens to rows of a table; read from a connection, it is the trigger of that connection."""

    model: type[Model]
    message: str
    """The organisation's name of the operation."""

    @property
    def name(self) -> str:
        return f"{self.model.remote.entity}-{WORDS[self.message]}"

    @overload
    def __get__(self, connection: None, owner: type[System]) -> Self: ...

    @overload
    def __get__(self, connection: System, owner: type[System]) -> Trigger: ...

    def __get__(self, connection: System | None, owner: type[System]) -> Self | Trigger:
        return self if connection is None else Trigger(connection, self.name, self.model)


CREATE: Final = "Create"
UPDATE: Final = "Update"
DELETE: Final = "Delete"
WORDS: Final = {CREATE: "created", UPDATE: "changed", DELETE: "deleted"}


class Dataverse(System):
    """A Dataverse organisation."""

    kind: ClassVar[str] = "dataverse"

    account_created = Event(Account, CREATE)
    account_changed = Event(Account, UPDATE)
    account_deleted = Event(Account, DELETE)
    contact_created = Event(Contact, CREATE)
    contact_changed = Event(Contact, UPDATE)
    contact_deleted = Event(Contact, DELETE)
    product_created = Event(Product, CREATE)
    product_changed = Event(Product, UPDATE)
    product_deleted = Event(Product, DELETE)
    productpricelevel_created = Event(ProductPriceLevel, CREATE)
    productpricelevel_changed = Event(ProductPriceLevel, UPDATE)
    productpricelevel_deleted = Event(ProductPriceLevel, DELETE)
    salesorder_created = Event(SalesOrder, CREATE)
    salesorder_changed = Event(SalesOrder, UPDATE)
    salesorder_deleted = Event(SalesOrder, DELETE)
    salesorderdetail_created = Event(SalesOrderDetail, CREATE)
    salesorderdetail_changed = Event(SalesOrderDetail, UPDATE)
    salesorderdetail_deleted = Event(SalesOrderDetail, DELETE)
    invoice_created = Event(Invoice, CREATE)
    invoice_changed = Event(Invoice, UPDATE)
    invoice_deleted = Event(Invoice, DELETE)
    productinventory_changed = Event(ProductInventory, UPDATE)
    purchaseorder_created = Event(PurchaseOrder, CREATE)
    purchaseorder_changed = Event(PurchaseOrder, UPDATE)


EVENTS: Final[Mapping[str, Event]] = MappingProxyType(
    {event.name: event for event in vars(Dataverse).values() if isinstance(event, Event)}
)
"""By name, for example `account-changed`."""
