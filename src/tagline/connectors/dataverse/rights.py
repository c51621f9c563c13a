"""The rights of an application in an organisation: which privileges its work needs, how far each reaches, and why.

Names of privileges are uncertain beyond those of orders; `tagline doctor` asks the organisation which are held.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Access(StrEnum):
    """What a privilege allows on rows of a table."""

    READ = "Read"
    CREATE = "Create"
    WRITE = "Write"
    DELETE = "Delete"
    APPEND = "Append"
    """To link rows of this table to others."""
    APPEND_TO = "AppendTo"
    """To be linked to."""
    ASSIGN = "Assign"
    """To give a row to another owner."""


class Depth(StrEnum):
    """Whose rows a privilege reaches, in the words of a role's XML; each reaches what the one before it does, too."""

    USER = "Basic"
    """The application's own, and those of its teams."""
    UNIT = "Local"
    """Of its business unit."""
    UNITS_BELOW = "Deep"
    """Of its business unit and those below."""
    ORGANISATION = "Global"

    @property
    def rank(self) -> int:
        """Greater reaches further."""
        return tuple(Depth).index(self)


@dataclass(frozen=True)
class Right:
    """A privilege that a role holds."""

    privilege: str
    """For example `prvReadAccount`."""
    depth: Depth
    reason: str
    """Why it reaches so far and not less."""


@dataclass(frozen=True)
class Group:
    """Rights on rows of one kind, as people enter them by hand."""

    noun: str
    """How the privileges call the kind of row, for example `Order`."""
    everywhere: tuple[str, ...]
    """What is allowed on every row of the organisation, for example `read`."""
    own: tuple[str, ...]
    """What is allowed on the application's own rows alone."""
    reason: str


NOT_LESS: Final = (
    "keys are unique in the whole organisation, so that rows of others must be seen, linked and changed"
)
ITS_OWN: Final = "a new row is the application's own"
GIVES_OWNER: Final = "new rows are given an owner"
NO_OWNERS: Final = "its rows have no owners, so there is no other depth"
OF_AN_ACTION: Final = "an action makes rows that may be given to the document's owner, who may be anybody"
ABOUT_TABLES: Final = "definitions belong to the organisation"
ITSELF: Final = "the doctor reads which privileges the application itself holds"

_OWNED: Final = frozenset(
    {"account", "contact", "salesorder", "orderclose", "invoice", "msdyn_purchaseorder"}
)
"""
Tables of the trade whose rows have an owner.

Source: the tables' metadata, OwnershipType.
"""
_PRIVILEGE_OF: Final = {
    "salesorder": "Order",
    "invoice": "Invoice",
    "product": "Product",
    "account": "Account",
    "contact": "Contact",
    "transactioncurrency": "TransactionCurrency",
    "orderclose": "Activity",
}
_PART_OF: Final = {
    "salesorderdetail": "salesorder",
    "invoicedetail": "invoice",
    "pricelevel": "product",
    "productpricelevel": "product",
    "uom": "product",
    "uomschedule": "product",
}
"""Tables without privileges of their own."""
_ACTION_NEEDS: Final = {
    "FulfillSalesOrder": ("prvWriteOrder", "prvCreateActivity", "prvAppendActivity", "prvAppendToOrder"),
    "CancelSalesOrder": ("prvWriteOrder", "prvCreateActivity", "prvAppendActivity", "prvAppendToOrder"),
    "ConvertSalesOrderToInvoice": (
        "prvReadOrder",
        "prvWriteOrder",
        "prvCreateInvoice",
        "prvReadInvoice",
        "prvAppendToOrder",
        "prvAppendInvoice",
    ),
    "Merge": ("prvMerge",),
}
"""What Microsoft's privilege reference names for each message."""
_DEFINITIONS: Final = (
    "prvReadEntity",
    "prvReadAttribute",
    "prvReadRelationship",
    "prvReadOptionSet",
    "prvReadSolution",
)
"""
To read table definitions and the solution's version: `doctor` and `drift` compare them, and a sweep asks whether changes are
tracked. Uncertain.
"""
_WEBHOOKS: Final = ("prvReadServiceEndpoint", "prvReadSdkMessageProcessingStep")
"""To see whether a webhook is registered; to register one is the deploy application's. Uncertain."""
_OWN_USER: Final = "prvReadUser"
"""To read one's own privileges. Uncertain."""
_NAME: Final = re.compile(rf"prv({'|'.join(sorted(Access, key=len, reverse=True))})?(\w+)")


def rights_on(table: str, access: Iterable[Access], *, gives_owner: bool = False) -> Iterator[Right]:
    """
    What this access to rows of a table needs.

    Args:
        gives_owner: Rows are written with an owner other than the application.
    """
    owner = _PART_OF.get(table, table)
    noun = _PRIVILEGE_OF.get(owner, owner)
    wanted = set(access)
    if owner in ("salesorder", "invoice") and owner != table and wanted & {Access.CREATE, Access.DELETE}:
        # A line has no rights of its own: to add or remove one is to write its document.
        wanted = (wanted - {Access.CREATE, Access.DELETE}) | {Access.WRITE, Access.APPEND, Access.APPEND_TO}
    if gives_owner:
        wanted |= {Access.ASSIGN}
    for one in sorted(wanted):
        privilege = f"prv{one}{noun}"
        if owner not in _OWNED:
            yield Right(privilege, Depth.ORGANISATION, NO_OWNERS)
        elif one is Access.CREATE and not gives_owner:
            yield Right(privilege, Depth.USER, ITS_OWN)
        elif one in (Access.CREATE, Access.ASSIGN):
            yield Right(privilege, Depth.ORGANISATION, GIVES_OWNER)
        else:
            yield Right(privilege, Depth.ORGANISATION, NOT_LESS)


def rights_for(action: str) -> Iterator[Right]:
    """What a state transition needs beside reading its row."""
    for privilege in _ACTION_NEEDS.get(action, ()):
        yield Right(privilege, Depth.ORGANISATION, OF_AN_ACTION)


def rights_to_look(*, webhooks: bool) -> Iterator[Right]:
    """What comparing an organisation with what the flows expect of it needs."""
    for privilege in (*_DEFINITIONS, *(_WEBHOOKS if webhooks else ())):
        yield Right(privilege, Depth.ORGANISATION, ABOUT_TABLES)
    yield Right(_OWN_USER, Depth.USER, ITSELF)


def together(rights: Iterable[Right]) -> tuple[Right, ...]:
    """The rights as one role holds them: each privilege once, as far as any of them reaches; sorted by name."""
    widest: dict[str, Right] = {}
    for right in rights:
        standing = widest.get(right.privilege)
        if standing is None or standing.depth.rank < right.depth.rank:
            widest[right.privilege] = right
    return tuple(widest[name] for name in sorted(widest))


def grouped(rights: Iterable[Right]) -> tuple[Group, ...]:
    """The rights by kind of row, each kind once, sorted."""
    found: dict[str, list[tuple[str, Right]]] = {}
    for right in rights:
        named = _NAME.fullmatch(right.privilege)
        access, noun = (named[1] or "", named[2]) if named else ("", right.privilege)
        found.setdefault(noun, []).append((_words(access), right))
    return tuple(
        Group(
            noun,
            tuple(word for word, right in held if right.depth is Depth.ORGANISATION),
            tuple(word for word, right in held if right.depth is not Depth.ORGANISATION),
            "; ".join(dict.fromkeys(right.reason for _, right in held)),
        )
        for noun, held in sorted(found.items())
    )


def _words(access: str) -> str:
    """For people: `AppendTo` is `append to`; a privilege without access is used."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", access).lower() or "use"
