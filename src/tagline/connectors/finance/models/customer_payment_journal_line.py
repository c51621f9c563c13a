"""Payments in a journal."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.enums import LedgerJournalACType, NoYes
from tagline.connectors.finance.models.customer_payment_journal_header import CustomerPaymentJournalHeader
from tagline.domain.model import Model, Ref, Remote, column


class CustomerPaymentJournalLine(Model):
    """
    One payment. The amount of a payment received is a credit of the customer; `AccountDisplayValue` is the customer's account.

    Source: reference/dataverse-metadata/fno-CustomerPaymentJournalLines.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance",
        "CustomerPaymentJournalLine",
        "CustomerPaymentJournalLines",
        "row_id",
        (("JournalBatchNumber", "LineNumber"),),
    )

    row_id: str | None = column(create=False, update=False, local=True)
    JournalBatchNumber: Ref[CustomerPaymentJournalHeader] | None = column(required=True, update=False)
    LineNumber: Decimal | None = column(required=True, update=False)
    TransactionDate: date | None = column(required=True)
    AccountType: LedgerJournalACType | None = column()
    AccountDisplayValue: str | None = column(required=True)
    CustomerName: str | None = column(create=False, update=False, personal=True)
    CreditAmount: Decimal | None = column()
    DebitAmount: Decimal | None = column()
    CurrencyCode: str | None = column(required=True)
    OffsetAccountType: LedgerJournalACType | None = column()
    OffsetAccountDisplayValue: str | None = column()
    PaymentMethodName: str | None = column()
    PaymentReference: str | None = column()
    PaymentId: str | None = column()
    MarkedInvoice: str | None = column()
    TransactionText: str | None = column()
    IsPrepayment: NoYes | None = column()
    Voucher: str | None = column(create=False, update=False)
