"""Enumerations of Finance as types of columns: the members that may be written, and the name that a filter needs.

Source: reference/dataverse-metadata/fno-_enums.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal


@dataclass(frozen=True)
class EnumType:
    """Marks a column as one of this enumeration."""

    name: str


NoYes = Annotated[Literal["No", "Yes"], EnumType("NoYes")]
CustVendorBlocked = Annotated[
    Literal["No", "Invoice", "All", "Payment", "Requisition", "Never", "PurchOrder"],
    EnumType("CustVendorBlocked"),
]
LedgerJournalACType = Annotated[
    Literal[
        "Ledger",
        "Cust",
        "Vend",
        "Project",
        "FixedAssets",
        "Bank",
        "FixedAssets_RU",
        "Employee_RU",
        "RDeferrals",
        "RCash",
    ],
    EnumType("LedgerJournalACType"),
]
DimensionLedgerAccountType = Annotated[str, EnumType("DimensionLedgerAccountType")]

# Of these four the members are known by nothing better than memory. "Backorder" is what people see as "open order".
SalesStatus = Annotated[
    Literal["None", "Backorder", "Delivered", "Invoiced", "Canceled"], EnumType("SalesStatus")
]
PurchStatus = Annotated[
    Literal["None", "Backorder", "Received", "Invoiced", "Canceled"], EnumType("PurchStatus")
]
VersioningDocumentState = Annotated[
    Literal["Draft", "InReview", "Rejected", "Approved", "InExternalReview", "Finalized", "Confirmed"],
    EnumType("VersioningDocumentState"),
]
ItemReservation = Annotated[Literal["None", "Manual", "Automatic", "Explosion"], EnumType("ItemReservation")]
ProcessingStatus = Annotated[str, EnumType("SalesOrderProcessingStatus")]
"""Its members are not known."""
