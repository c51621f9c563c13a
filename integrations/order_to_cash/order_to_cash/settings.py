"""What differs by environment or by customer, each with its meaning."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from tagline import Settings


class Stage(StrEnum):
    """How far an order has come, in the words of neither system."""

    OPEN = "open"
    """It stays New in Dataverse and can be edited."""
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


class OrderToCashSettings(Settings):
    """The choices that are the customer's."""

    store: str = Field(default="shop", pattern=r"^[a-z0-9]{1,20}$")
    """Short name of the store, first part of every key: it keeps the orders of two stores in one organisation apart."""
    price_level: str
    """Name of the Dataverse price list of these orders; its currency must be the store's."""
    person_as: Literal["contact", "account"] = "contact"
    """What a buyer without a company becomes; a company is always an account with a contact."""
    shared_mailboxes: tuple[str, ...] = (
        "admin",
        "billing",
        "info",
        "mail",
        "no-reply",
        "noreply",
        "office",
        "orders",
        "purchasing",
        "sales",
        "service",
        "shop",
        "support",
        "webmaster",
    )
    """Local parts or whole addresses, in any case, that several people read: a guest with one of them goes to review."""
    unknown_sku: Literal["dead_letter", "write_in"] = "dead_letter"
    """A row whose SKU is no active product: set the order aside, or write the row as text with its price."""
    custom_statuses: dict[int, Stage] = Field(default_factory=dict)
    """What the shop's own statuses (8-10, 12, 14-20) mean here; an order in one that is not named is set aside."""
    write_back_field: Literal["ExternalComments", "AlternateOrderID"] = "ExternalComments"
    """Field of the shop's order that carries the Dataverse id; a value that is not ours stays."""
    edit_after_submit: Literal["review", "ignore"] = "review"
    """An order that differs from its locked counterpart: set it aside for a person, or leave both as they are."""
    start_at: AwareDatetime | None = None
    """Orders placed before this instant are not written; `None` writes every order that is heard of."""

    def is_before_start(self, ordered_on: datetime | None) -> bool:
        """Whether an order of this instant is older than what this integration answers for."""
        return self.start_at is not None and ordered_on is not None and ordered_on < self.start_at
