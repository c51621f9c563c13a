"""Purchase orders."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.enums import PurchStatus, VersioningDocumentState
from tagline.connectors.finance.models.vendor import Vendor
from tagline.connectors.finance.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class PurchaseOrderHeader(Model):
    """
    A purchase order without its lines. A number sequence gives the number; `VendorOrderReference` is ours, and what an order is found
    again by before its number is known. Finance does not keep it unique.

    Source: reference/dataverse-metadata/fno-PurchaseOrderHeadersV2.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance",
        "PurchaseOrderHeaderV2",
        "PurchaseOrderHeadersV2",
        "PurchaseOrderNumber",
        (("VendorOrderReference",),),
    )

    PurchaseOrderNumber: str | None = column(update=False)
    VendorOrderReference: str | None = column()
    OrderVendorAccountNumber: Ref[Vendor] | None = column(required=True)
    InvoiceVendorAccountNumber: Ref[Vendor] | None = column()
    PurchaseOrderName: str | None = column()
    CurrencyCode: str | None = column(required=True)
    AccountingDate: date | None = column()
    RequestedDeliveryDate: date | None = column()
    ConfirmedDeliveryDate: date | None = column()
    DefaultReceivingSiteId: str | None = column()
    DefaultReceivingWarehouseId: Ref[Warehouse] | None = column()
    PurchaseOrderStatus: PurchStatus | None = column(create=False, update=False)
    DocumentApprovalStatus: VersioningDocumentState | None = column(create=False, update=False)
    BuyerGroupId: str | None = column()
    DeliveryModeId: str | None = column()
    DeliveryTermsId: str | None = column()
    LanguageId: str | None = column()
    PaymentTermsName: str | None = column()
    TotalDiscountPercentage: Decimal | None = column()
