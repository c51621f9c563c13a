"""Who may do what: application users, their roles and the privileges these hold. Source: Web API notes, sections 2.1 and 13."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tagline.sandbox.assumptions import MISSING_PRIVILEGE_CODE, PRIVILEGE_NOUNS, PRIVILEGES_OF_ACTIONS
from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_rows import Rows
from tagline.sandbox.dataverse_schema import NAMES, Table, tables


class Access(StrEnum):
    """What a privilege allows on rows of a table."""

    READ = "Read"
    WRITE = "Write"
    APPEND = "Append"
    """To link rows of this table to others."""
    APPEND_TO = "AppendTo"
    """To be linked to."""
    CREATE = "Create"
    DELETE = "Delete"
    SHARE = "Share"
    ASSIGN = "Assign"


ACCESS_RIGHTS: Mapping[Access, int] = {
    Access.READ: 1,
    Access.WRITE: 2,
    Access.APPEND: 4,
    Access.APPEND_TO: 16,
    Access.CREATE: 32,
    Access.DELETE: 65536,
    Access.SHARE: 262144,
    Access.ASSIGN: 524288,
}
"""The number of each in `privileges`."""
MISCELLANEOUS = (
    "prvMerge",
    "prvPublishDuplicateRule",
    "prvActOnBehalfOfAnotherUser",
    "prvBypassCustomPlugins",
    "prvBypassCustomBusinessLogic",
    "prvImportCustomization",
    "prvExportCustomization",
    "prvPublishCustomization",
    "prvWriteEntity",
    "prvCreateAttribute",
    "prvWriteAttribute",
    "prvDeleteAttribute",
)
"""Privileges that belong to no table of rows."""
ADMINISTRATOR = "System Administrator"
"""The role that holds every privilege."""
_PART_OF: Mapping[str, str] = {
    "salesorderdetail": "salesorder",
    "invoicedetail": "invoice",
    "pricelevel": "product",
    "productpricelevel": "product",
    "uom": "product",
    "uomschedule": "product",
    "privilege": "role",
    "roleprivileges": "role",
    "systemuserroles": "role",
    "sdkmessagefilter": "sdkmessage",
    "sdkmessageprocessingstepimage": "sdkmessageprocessingstep",
    "duplicaterulecondition": "duplicaterule",
}
"""Tables without privileges of their own."""
_LINES = frozenset({"salesorderdetail", "invoicedetail"})


def noun_of(table: str) -> str:
    """How the privileges for rows of that table call it."""
    owner = _PART_OF.get(table, table)
    return PRIVILEGE_NOUNS.get(owner, owner)


def names_for(table: str, access: Access) -> tuple[str, ...]:
    """The privileges that this access to rows of a table needs."""
    wanted: tuple[Access, ...] = (access,)
    if table in _LINES and access in (Access.CREATE, Access.DELETE):
        # To add or remove a line is to write its document.
        wanted = (Access.WRITE, Access.APPEND, Access.APPEND_TO)
    return tuple(f"prv{each}{noun_of(table)}" for each in wanted)


def all_privileges() -> Iterator[tuple[str, int]]:
    """Name and access right of every privilege, sorted within each noun."""
    for noun in sorted({noun_of(name) for name in NAMES}):
        for access, number in ACCESS_RIGHTS.items():
            yield f"prv{access}{noun}", number
    for name in MISCELLANEOUS:
        yield name, 0


@dataclass(frozen=True)
class Caller:
    """Somebody who acts on rows; `held` None holds every privilege, as the platform itself does."""

    user_id: str
    held: frozenset[str] | None = None

    def require(self, table: Table, access: Access) -> None:
        """
        See that rows of the table may be accessed so.

        Raises:
            Refusal: A privilege is missing.
        """
        if self.held is not None:
            self.require_all(names_for(table.name, access))

    def require_all(self, names: Iterable[str]) -> None:
        """
        See that these privileges are held.

        Raises:
            Refusal: One is missing.
        """
        for name in names:
            if self.held is not None and name not in self.held:
                raise Refusal(
                    403,
                    MISSING_PRIVILEGE_CODE,
                    f"Principal user (Id={self.user_id}, type=8) is missing {name} privilege.",
                )

    def as_platform(self) -> Caller:
        """The same user where the platform acts on his behalf, and his rights were checked before."""
        return Caller(self.user_id)


class Rights:
    """What the rows of users, roles and privileges say."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known: dict[str, tuple[tuple[int, ...], Caller]] = {}

    def application_user(self, client_id: str) -> str | None:
        """The user that an application signs in as."""
        return self._user_with("applicationid", client_id)

    def impersonated(self, caller: Caller, headers: Mapping[str, str]) -> Caller:
        """
        Whom the caller acts for: `CallerObjectId` names an Entra object, `MSCRMCallerID` a user.

        Raises:
            Refusal: The caller may act for nobody else, or there is no such user.
        """
        object_id, user_id = headers.get("callerobjectid"), headers.get("mscrmcallerid")
        if not object_id and not user_id:
            return caller
        caller.require_all(("prvActOnBehalfOfAnotherUser",))
        found = self._user_with("azureactivedirectoryobjectid", object_id) if object_id else user_id
        return self.caller(str(found).lower())

    def caller(self, user_id: str | None) -> Caller:
        """
        A user with what his roles let him do.

        Raises:
            Refusal: There is no such user, he is disabled, or he has no role.
        """
        user = self._rows.get(tables()["systemuser"], user_id) if user_id else None
        if user_id is None or user is None:
            raise Refusal(403, "0x80072560", "The user is not a member of the organization.")
        if user.get("isdisabled"):
            raise Refusal(403, "0x80040225", "The specified user is either disabled or not licensed.")
        version = tuple(self._rows.newest(tables()[n]) for n in ("systemuserroles", "roleprivileges", "role"))
        known = self._known.get(user_id)
        if known is None or known[0] != version:
            known = self._known[user_id] = (version, self._read(user_id))
        return known[1]

    def names_held(self, user_id: str) -> list[str]:
        """The privileges of a user, sorted."""
        held = self.caller(user_id).held
        return sorted(name for name, _ in all_privileges()) if held is None else sorted(held)

    def roles_of(self, user_id: str) -> list[str]:
        """Ids of the roles of a user."""
        return [
            str(one["roleid"])
            for one in self._rows.all(tables()["systemuserroles"])
            if one["systemuserid"] == user_id
        ]

    def _read(self, user_id: str) -> Caller:
        roles = set(self.roles_of(user_id))
        if not roles:
            raise Refusal(403, "0x8004d24b", f"The user with id {user_id} has not been assigned any roles.")
        known = tables()
        if any((self._rows.get(known["role"], role) or {}).get("name") == ADMINISTRATOR for role in roles):
            return Caller(user_id)
        held = {
            str(one["privilegeid"])
            for one in self._rows.all(known["roleprivileges"])
            if one["roleid"] in roles
        }
        privileges = (self._rows.get(known["privilege"], one) for one in held)
        return Caller(user_id, frozenset(str(p["name"]) for p in privileges if p is not None))

    def _user_with(self, column: str, value: str) -> str | None:
        users: Iterable[Mapping[str, Any]] = self._rows.all(tables()["systemuser"])
        return next((u["systemuserid"] for u in users if u.get(column) == value.lower()), None)


def require_action(caller: Caller, action: str) -> None:
    """
    See that a user may call an action beside reading what it is about.

    Raises:
        Refusal: A privilege is missing.
    """
    caller.require_all(PRIVILEGES_OF_ACTIONS.get(action, ()))
