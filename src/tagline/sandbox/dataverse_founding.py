"""What the platform puts into an organisation before anybody works in it: users, roles, privileges, messages, solutions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from tagline.sandbox.dataverse_rights import (
    ADMINISTRATOR,
    MISCELLANEOUS,
    Access,
    Depth,
    all_privileges,
    noun_of,
)
from tagline.sandbox.dataverse_rows import Link, Row, Rows
from tagline.sandbox.dataverse_schema import PLATFORM, Table, tables

ORGANISATION_ID: Final = "9a1f6c9e-7f0b-4a55-8f0c-2d4f6b8a0c1e"
BUSINESS_UNIT_ID: Final = "0f5c1be2-8e34-4ac5-97f0-6f3f6e6c2b10"
USER_ID: Final = "5c3d5c53-3a62-4a9e-9c51-54a1a6f4f1a1"
"""The application user that runs."""
CUSTOMISER = "System Customizer"
"""The role of whoever sets an organisation up: everything about tables and registrations, nothing about the trade's rows."""
FOUNDED: Final = "2024-01-15T09:00:00Z"
PUBLISHER: Final = "tagline"
SOLUTION: Final = ("tagline_order_to_cash", "1.0.0.0")
"""The solution that an organisation starts with unless it is to have none, and its version."""
MESSAGES: Final = (
    "Create",
    "Update",
    "Delete",
    "Retrieve",
    "RetrieveMultiple",
    "CreateMultiple",
    "UpdateMultiple",
    "UpsertMultiple",
    "Merge",
)
_NOT_THE_CUSTOMISERS: Final = frozenset(
    {
        "prvMerge",
        "prvBulkDelete",
        "prvActOnBehalfOfAnotherUser",
        "prvBypassCustomPlugins",
        "prvBypassCustomBusinessLogic",
    }
)


def platform_id(kind: str, name: str) -> str:
    """The id of a row of the platform, the same in every organisation."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{kind}.sandbox.test".lower()))


def found(rows: Rows, *, solution: bool) -> None:
    """Put the platform's own rows in place."""
    for table, row in _platform_rows(solution=solution):
        rows.put(table, row[table.primary_id], row)


def add_application(rows: Rows, user_id: str, client_id: str, name: str, role: str) -> None:
    """Let an application sign in as a user who has that role."""
    user = {
        "applicationid": client_id,
        "azureactivedirectoryobjectid": platform_id("entra", client_id),
        "fullname": name,
        "lastname": name,
        "businessunitid": ("businessunit", BUSINESS_UNIT_ID),
        "isdisabled": False,
        "accessmode": 4,
    }
    for table, row in (
        _row("systemuser", user_id, user),
        _assignment(user_id, platform_id("role", role)),
    ):
        rows.put(table, row[table.primary_id], row)


def _assignment(user_id: str, role_id: str) -> tuple[Table, Row]:
    row_id = platform_id("systemuserroles", f"{user_id} {role_id}")
    return _row("systemuserroles", row_id, {"systemuserid": user_id, "roleid": role_id})


def give_role(rows: Rows, user_id: str, role_id: str) -> None:
    """Add a role to a user; one that he has stays."""
    table, row = _assignment(user_id, role_id)
    rows.put(table, row[table.primary_id], row)


def take_role(rows: Rows, user_id: str, role_id: str) -> None:
    """Take a role from a user, if he has it."""
    table, row = _assignment(user_id, role_id)
    if rows.get(table, row[table.primary_id]) is not None:
        rows.remove(table, row[table.primary_id])


def put_member(rows: Rows, team_id: str, user_id: str) -> None:
    """Make a user a member of a team; one who is stays it."""
    table, row = _membership(team_id, user_id)
    rows.put(table, row[table.primary_id], row)


def take_member(rows: Rows, team_id: str, user_id: str) -> None:
    """Take a user from a team, if he is a member."""
    table, row = _membership(team_id, user_id)
    if rows.get(table, row[table.primary_id]) is not None:
        rows.remove(table, row[table.primary_id])


def _membership(team_id: str, user_id: str) -> tuple[Table, Row]:
    row_id = platform_id("teammembership", f"{team_id} {user_id}")
    return _row("teammembership", row_id, {"teamid": team_id, "systemuserid": user_id})


def ownership(rows: Rows, owner: Link) -> Row:
    """What a row says of its owner beside `ownerid`: the user or the team again, and the business unit of either."""
    known = rows.get(tables()[owner[0]], owner[1]) or {}
    unit = known.get("businessunitid") or ("businessunit", BUSINESS_UNIT_ID)
    return {"owningteam" if owner[0] == "team" else "owninguser": owner, "owningbusinessunit": unit}


def put_role(
    rows: Rows, role_id: str, name: str, privileges: Mapping[str, Depth], *, is_managed: bool
) -> None:
    """Put a role in place of what stood under its id, holding exactly those of the privileges that there are."""
    row = {
        "name": name,
        "businessunitid": ("businessunit", BUSINESS_UNIT_ID),
        "ismanaged": is_managed,
        "isinherited": 1,
    }
    holding = tables()["roleprivileges"]
    for held in rows.all(holding):
        if held["roleid"] == role_id:
            rows.remove(holding, held[holding.primary_id])
    for table, one in (_row("role", role_id, row), *_holdings(role_id, privileges)):
        rows.put(table, one[table.primary_id], one)


@cache
def _platform_rows(*, solution: bool) -> Sequence[tuple[Table, Row]]:
    return list(_rows(solution=solution))


def _rows(*, solution: bool) -> Iterator[tuple[Table, Row]]:
    unit = ("businessunit", BUSINESS_UNIT_ID)
    yield _row(
        "organization",
        ORGANISATION_ID,
        {"name": "sandbox", "languagecode": 1033, "expirechangetrackingindays": 7},
    )
    yield _row("businessunit", BUSINESS_UNIT_ID, {"name": "sandbox", "isdisabled": False})
    system = {"fullname": "SYSTEM", "lastname": "SYSTEM", "businessunitid": unit, "isdisabled": True}
    yield _row("systemuser", platform_id("systemuser", "SYSTEM"), system)
    for name, right in all_privileges():
        facts = {"name": name, "accessright": right, "canbeglobal": True}
        yield _row("privilege", platform_id("privilege", name), facts)
    everything = [name for name, _ in all_privileges()]
    about_tables = [f"prv{access}{noun_of(name)}" for name in PLATFORM for access in Access]
    customiser = sorted({*about_tables, *MISCELLANEOUS} - _NOT_THE_CUSTOMISERS)
    for name, privileges in ((ADMINISTRATOR, everything), (CUSTOMISER, customiser)):
        role_id = platform_id("role", name)
        yield _row(
            "role", role_id, {"name": name, "businessunitid": unit, "ismanaged": True, "isinherited": 1}
        )
        yield from _holdings(role_id, dict.fromkeys(privileges, Depth.GLOBAL))
    yield from _messages()
    yield from _solutions(solution=solution)


def _holdings(role_id: str, privileges: Mapping[str, Depth]) -> Iterator[tuple[Table, Row]]:
    known = {name for name, _ in all_privileges()}
    for name, depth in privileges.items():
        if name in known:
            facts = {
                "roleid": role_id,
                "privilegeid": platform_id("privilege", name),
                "privilegedepthmask": int(depth),
            }
            yield _row("roleprivileges", platform_id("roleprivileges", f"{role_id} {name}"), facts)


def _messages() -> Iterator[tuple[Table, Row]]:
    for message in MESSAGES:
        message_id = platform_id("sdkmessage", message)
        yield _row("sdkmessage", message_id, {"name": message, "isactive": True, "isprivate": False})
        for name in tables():
            if name in PLATFORM or (message == "Merge" and name not in ("account", "contact")):
                continue
            facts = {
                "primaryobjecttypecode": name,
                "secondaryobjecttypecode": "none",
                "sdkmessageid": ("sdkmessage", message_id),
                "iscustomprocessingstepallowed": True,
                "isvisible": True,
            }
            yield _row("sdkmessagefilter", platform_id("sdkmessagefilter", f"{message} {name}"), facts)


def _solutions(*, solution: bool) -> Iterator[tuple[Table, Row]]:
    default = platform_id("publisher", "DefaultPublisher")
    yield _row(
        "publisher",
        default,
        {
            "uniquename": "DefaultPublisher",
            "friendlyname": "Default Publisher",
            "customizationprefix": "new",
            "customizationoptionvalueprefix": 10000,
        },
    )
    yield solution_row("Default", "1.0", default, is_managed=False, title="Default Solution")
    if solution:
        yield publisher_row(PUBLISHER, "tl", 13704)
        yield solution_row(*SOLUTION, platform_id("publisher", PUBLISHER), is_managed=True)


def publisher_row(name: str, prefix: str, option_prefix: int) -> tuple[Table, Row]:
    """A publisher as a row."""
    facts = {
        "uniquename": name,
        "friendlyname": name,
        "customizationprefix": prefix,
        "customizationoptionvalueprefix": option_prefix,
    }
    return _row("publisher", platform_id("publisher", name), facts)


def solution_row(
    name: str, version: str, publisher_id: str, *, is_managed: bool, title: str = "", at: str = FOUNDED
) -> tuple[Table, Row]:
    """An installed solution as a row."""
    facts = {
        "uniquename": name,
        "friendlyname": title or name,
        "version": version,
        "ismanaged": is_managed,
        "isvisible": True,
        "installedon": at,
        "publisherid": ("publisher", publisher_id),
    }
    return _row("solution", platform_id("solution", name), facts)


def _row(name: str, row_id: str, facts: Mapping[str, Any]) -> tuple[Table, Row]:
    table = tables()[name]
    stamps = {"createdon": FOUNDED, "modifiedon": FOUNDED} if "createdon" in table.columns else {}
    return table, {table.primary_id: row_id, **stamps, **facts}
