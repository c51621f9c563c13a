"""Who may do what: application users, their roles and the privileges these hold. Source: Web API notes, sections 2.1 and 13."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from functools import partial
from typing import Any

from tagline.sandbox.assumptions import PRIVILEGE_NOUNS, PRIVILEGES_OF_ACTIONS
from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_rows import Link, Row, Rows, RowsInSight
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


class Depth(IntEnum):
    """Whose rows a privilege reaches, by the number in `privilegedepthmask`; each reaches what the one before it does, too."""

    BASIC = 1
    """One's own, and those of one's teams."""
    LOCAL = 2
    """Of one's business unit."""
    DEEP = 4
    """Of one's business unit and those below it."""
    GLOBAL = 8


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
    "prvReadEntity",
    "prvReadAttribute",
    "prvReadRelationship",
    "prvReadOptionSet",
    "prvBulkDelete",
)
"""Privileges that belong to no table of rows."""
ADMINISTRATOR = "System Administrator"
"""The role that holds every privilege."""
_DECIDING = ("systemuserroles", "roleprivileges", "role", "systemuser", "teammembership", "businessunit")
"""Tables whose rows decide what somebody may do."""
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
    "teammembership": "team",
}
"""Tables without privileges of their own."""
_LINES: Mapping[str, str] = {"salesorderdetail": "salesorderid", "invoicedetail": "invoiceid"}
"""Tables whose rows are as accessible as those that the lookup points to."""


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
class Owner:
    """Who has a row: a user or a team, and the business unit of either."""

    link: Link | None
    business_unit_id: str | None


def owner_of(table: Table, row: Row) -> Owner | None:
    """The owner of a row, None where its table belongs to the organisation."""
    if table.name in ("systemuser", "team"):
        return Owner((table.name, row[table.primary_id]), (row.get("businessunitid") or (None, None))[1])
    if table.ownership != "UserOwned" or "ownerid" not in row:
        return None
    return Owner(row["ownerid"], (row.get("owningbusinessunit") or (None, None))[1])


@dataclass(frozen=True)
class Caller:
    """Somebody who acts on rows; `held` None holds every privilege, as the platform itself does."""

    user_id: str
    held: Mapping[str, Depth] | None = None
    business_unit_id: str = ""
    units: frozenset[str] = field(default_factory=frozenset)
    """The business unit and those below it."""
    teams: frozenset[str] = field(default_factory=frozenset)
    """That the user is a member of."""

    def depth(self, table: Table, access: Access) -> Depth:
        """
        How far an access to rows of the table reaches.

        Raises:
            Refusal: A privilege is missing.
        """
        self.require(table, access)
        if self.held is None:
            return Depth.GLOBAL
        return min(self.held[name] for name in names_for(table.name, access))

    def reaches(self, depth: Depth, owner: Owner | None) -> bool:
        """Whether a privilege of that depth reaches what somebody owns."""
        if depth is Depth.GLOBAL or owner is None:
            return True
        if owner.link == ("systemuser", self.user_id):
            return True
        if owner.link is not None and owner.link[0] == "team" and owner.link[1] in self.teams:
            return True
        within = self.units if depth is Depth.DEEP else {self.business_unit_id}
        return depth is not Depth.BASIC and owner.business_unit_id in within

    def require_on(self, rows: Rows, table: Table, access: Access, row: Row) -> None:
        """
        See that this row may be accessed so.

        Raises:
            Refusal: A privilege is missing, or does not reach so far.
        """
        if self.held is None:
            return
        depth = self.depth(table, access)
        secured = secured_row(rows, table, row)
        if secured is None or self.reaches(depth, owner := owner_of(*secured)) or owner is None:
            return
        raise Refusal(
            403,
            quirks().out_of_reach_code,
            f"SecLib::AccessCheckEx failed. ObjectID: {secured[1][secured[0].primary_id]}, "
            f"OwnerId: {owner.link[1] if owner.link else None}, CallingUser: {self.user_id}, "
            f"AccessRights: {access.value}Access.",
        )

    def require_everywhere(self, table: Table, access: Access) -> None:
        """
        See that every row of the table may be accessed so.

        Raises:
            Refusal: A privilege is missing, or reaches less than the organisation.
        """
        if self.depth(table, access) is not Depth.GLOBAL:
            name = names_for(table.name, access)[0]
            raise Refusal(
                403,
                quirks().missing_privilege_code,
                f"Principal user (Id={self.user_id}, type=8) is missing {name} privilege for the whole organization.",
            )

    def sight(self, rows: Rows) -> Rows:
        """The rows as this user sees them; for reading alone."""
        return rows if self.held is None else RowsInSight(rows, partial(self._seen, rows))

    def _seen(self, rows: Rows, table: Table) -> Callable[[Row], bool] | None:
        """Which rows of the table are seen, None for every one; raises `Refusal` where none may be read."""
        depth = self.depth(table, Access.READ)
        if depth is Depth.GLOBAL:
            return None

        def passes(row: Row) -> bool:
            secured = secured_row(rows, table, row)
            return secured is None or self.reaches(depth, owner_of(*secured))

        return passes

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
                    quirks().missing_privilege_code,
                    f"Principal user (Id={self.user_id}, type=8) is missing {name} privilege.",
                )

    def as_platform(self) -> Caller:
        """The same user where the platform acts on his behalf, and his rights were checked before."""
        return replace(self, held=None)


def secured_row(rows: Rows, table: Table, row: Row) -> tuple[Table, Row] | None:
    """The row whose owner decides who may access this one: the document of a line; None for a line without one."""
    lookup = _LINES.get(table.name)
    if lookup is None:
        return table, row
    link = row.get(lookup)
    document = rows.get(tables()[link[0]], link[1]) if link else None
    return None if link is None or document is None else (tables()[link[0]], document)


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
        version = tuple(self._rows.newest(tables()[n]) for n in _DECIDING)
        known = self._known.get(user_id)
        if known is None or known[0] != version:
            known = self._known[user_id] = (version, self._read(user_id))
        return known[1]

    def held(self, user_id: str) -> Mapping[str, Depth]:
        """The privileges of a user, sorted by name."""
        held = self.caller(user_id).held
        if held is None:
            held = dict.fromkeys((name for name, _ in all_privileges()), Depth.GLOBAL)
        return dict(sorted(held.items()))

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
        unit = (self._rows.get(known["systemuser"], user_id) or {}).get("businessunitid")
        unit_id = str(unit[1]) if unit else ""
        memberships = self._rows.all(known["teammembership"])
        teams = frozenset(str(m["teamid"]) for m in memberships if m["systemuserid"] == user_id)
        everything = Caller(user_id, None, unit_id, self._units_from(unit_id), teams)
        if any((self._rows.get(known["role"], role) or {}).get("name") == ADMINISTRATOR for role in roles):
            return everything
        held: dict[str, Depth] = {}
        for one in self._rows.all(known["roleprivileges"]):
            privilege = self._rows.get(known["privilege"], one["privilegeid"])
            if one["roleid"] in roles and privilege is not None:
                name, depth = str(privilege["name"]), Depth(one["privilegedepthmask"])
                held[name] = max(depth, held.get(name, depth))
        return replace(everything, held=held)

    def _units_from(self, unit_id: str) -> frozenset[str]:
        """A business unit and those below it."""
        table = tables()["businessunit"]
        found, new = frozenset[str](), frozenset((unit_id,))
        while new:
            found |= new
            below = (
                u for u in self._rows.all(table) if (u.get("parentbusinessunitid") or ("", ""))[1] in new
            )
            new = frozenset(str(u[table.primary_id]) for u in below) - found
        return found

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
