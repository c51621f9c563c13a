"""Journals of customers' payments."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.finance.enums import NoYes
from tagline.domain.model import Model, Remote, column


class CustomerPaymentJournalHeader(Model):
    """
    A journal that payments are entered into; people or a batch job post it. A number sequence gives the number; `Description` is ours, and
    what a journal is found again by before its number is known. Finance does not keep it unique.

    Source: reference/dataverse-metadata/fno-CustomerPaymentJournalHeaders.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance",
        "CustomerPaymentJournalHeader",
        "CustomerPaymentJournalHeaders",
        "JournalBatchNumber",
        (("Description",),),
    )

    JournalBatchNumber: str | None = column(update=False)
    Description: str | None = column()
    JournalName: str | None = column(required=True, update=False)
    IsPosted: NoYes | None = column(create=False, update=False)
