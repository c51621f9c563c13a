"""
What is known of each data entity beside its columns: its key, and how its changes are found.

Source: reference/dataverse-api.md section 17.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

from tagline.connectors.finance.models import (
    Customer,
    CustomerPaymentJournalHeader,
    CustomerPaymentJournalLine,
    MainAccount,
    PurchaseOrderHeader,
    PurchaseOrderLine,
    ReleasedProduct,
    SalesInvoiceHeader,
    SalesOrderHeader,
    SalesOrderLine,
    SalesPriceAgreement,
    Vendor,
    Warehouse,
    WarehouseOnHand,
)
from tagline.domain.model import Model
from tagline.errors import UsageError


class Noticing(Enum):
    """How the changes of an entity are found."""

    BY_COMPARING = "by comparing all rows with what they were like; of rows that are gone it is told"
    BY_DATE = "by a date that rows have from the beginning; they never change and never go"
    WITH_OWNER = "with the row it belongs to; that one is gone is not told"


@dataclass(frozen=True)
class Entity:
    """One data entity."""

    model: type[Model]
    key: tuple[str, ...]
    """Columns of its key, the company left out, in their order."""
    noticing: Noticing = Noticing.BY_COMPARING
    dated_by: str = ""
    """Column that `window` counts from."""
    window: timedelta | None = None
    """
    How old a row may be to be looked at: to be compared at all, or, where rows are found by their date, to have been dated
    back. None looks at all rows.
    """
    has_company: bool = True
    is_read_only: bool = False
    newest_by: str = ""
    """Column whose greatest values the newest rows have; empty where it is the last column of the key."""

    @property
    def newest_first(self) -> str:
        return self.newest_by or self.key[-1]


_TABLE: Final = (
    Entity(Customer, ("CustomerAccount",)),
    Entity(
        SalesOrderHeader,
        ("SalesOrderNumber",),
        dated_by="OrderCreationDateTime",
        window=timedelta(days=180),
        newest_by="OrderCreationDateTime",
    ),
    Entity(SalesOrderLine, ("InventoryLotId",), Noticing.WITH_OWNER),
    Entity(ReleasedProduct, ("ItemNumber",)),
    Entity(SalesPriceAgreement, ("RecordId",), is_read_only=True),
    Entity(CustomerPaymentJournalHeader, ("JournalBatchNumber",)),
    Entity(CustomerPaymentJournalLine, ("JournalBatchNumber", "LineNumber"), Noticing.WITH_OWNER),
    Entity(
        SalesInvoiceHeader,
        ("InvoiceNumber", "InvoiceDate", "LedgerVoucher"),
        Noticing.BY_DATE,
        dated_by="InvoiceDate",
        window=timedelta(days=31),
        is_read_only=True,
        newest_by="InvoiceDate",
    ),
    Entity(Vendor, ("VendorAccountNumber",)),
    Entity(PurchaseOrderHeader, ("PurchaseOrderNumber",)),
    Entity(PurchaseOrderLine, ("PurchaseOrderNumber", "LineNumber"), Noticing.WITH_OWNER),
    Entity(MainAccount, ("ChartOfAccounts", "MainAccountId"), has_company=False, is_read_only=True),
    Entity(
        WarehouseOnHand,
        (
            "ItemNumber",
            "ProductColorId",
            "ProductConfigurationId",
            "ProductSizeId",
            "ProductStyleId",
            "ProductVersionId",
            "InventorySiteId",
            "InventoryWarehouseId",
        ),
        is_read_only=True,
    ),
    Entity(Warehouse, ("WarehouseId",)),
)

ENTITIES: Final[Mapping[type[Model], Entity]] = MappingProxyType({e.model: e for e in _TABLE})

MODIFIED: Final = "ModifiedDateTime"
"""
Column that an entity may have been extended with. Whether an environment exposes it is asked when a sweep begins; where it
does, changes are read by it and nothing is compared, so that of rows that are gone nothing is told.
"""


def entity_of(model: type[Model]) -> Entity:
    """
    What is known of a model's entity.

    Raises:
        UsageError: The model is none of Finance (code `not-supported`).
    """
    found = ENTITIES.get(model)
    if found is None:
        raise UsageError(
            f"the connector for Finance does not know {model.__name__}",
            code="not-supported",
            where={"model": model.__name__},
            hint="use one of the models of tagline.connectors.finance",
        )
    return found
