"""Users beside their own row: roles and privileges, and the teams they are members of. Source: Web API notes, section 13."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tagline.sandbox.dataverse_address import Address, find_row, parse_address
from tagline.sandbox.dataverse_body import ROOT, read_object
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import bad_uri, payload
from tagline.sandbox.dataverse_founding import give_role, platform_id, put_member, take_member, take_role
from tagline.sandbox.dataverse_platform import NAMESPACE, Platform
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_rights import Access
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import entity_sets, tables
from tagline.sandbox.values import Response

ROLES: Final = "systemuserroles_association"
MEMBERS: Final = "teammembership_association"
_PRIVILEGES = re.compile(rf"{re.escape(NAMESPACE)}RetrieveUserPrivileges(?:\(\))?")


@dataclass(frozen=True)
class Association:
    """A collection of a user or a team that joins two tables through a third."""

    target_set: str
    joining: str
    own: str
    """Column of the joining table that names the row which has the collection."""
    others: str
    link: Callable[[Rows, str, str], None]
    """Joins the row that has the collection to another; by their ids."""
    unlink: Callable[[Rows, str, str], None]

    def ids(self, rows: Rows, own_id: str) -> Sequence[str]:
        """Ids of what the row is joined to, oldest first."""
        return [str(one[self.others]) for one in rows.all(tables()[self.joining]) if one[self.own] == own_id]


ASSOCIATIONS: Mapping[tuple[str, str], Association] = {
    ("systemuser", ROLES): Association(
        "roles", "systemuserroles", "systemuserid", "roleid", give_role, take_role
    ),
    ("systemuser", MEMBERS): Association(
        "teams",
        "teammembership",
        "systemuserid",
        "teamid",
        lambda rows, user_id, team_id: put_member(rows, team_id, user_id),
        lambda rows, user_id, team_id: take_member(rows, team_id, user_id),
    ),
    ("team", MEMBERS): Association(
        "systemusers", "teammembership", "teamid", "systemuserid", put_member, take_member
    ),
}
"""By table and navigation property."""


def association_of(address: Address) -> Association | None:
    """The association that an address below a row leads into."""
    name = re.match(r"\w*", address.rest)
    return ASSOCIATIONS.get((address.table.name, name[0])) if name is not None else None


def read_people(platform: Platform, call: Call, address: Address) -> Response | None:
    """A user's privileges, or what a user or a team is joined to; None where the address leads elsewhere."""
    if address.table.name == "systemuser" and _PRIVILEGES.fullmatch(address.rest):
        return _privileges(platform, call, find_row(platform.rows, address)[0])
    association = ASSOCIATIONS.get((address.table.name, address.rest))
    if association is None:
        return None
    own_id, target = find_row(platform.rows, address)[0], entity_sets()[association.target_set]
    platform.records.caller.require(target, Access.READ)
    found = (platform.rows.get(target, i) for i in association.ids(platform.rows, own_id))
    names = (target.primary_id, str(target.primary_name))
    shown = [{name: row.get(name) for name in names} for row in found if row is not None]
    return answer(call, f"{target.entity_set}({','.join(names)})", {"value": shown})


def change_people(platform: Platform, call: Call, address: Address, association: Association) -> Response:
    """
    `POST …_association/$ref` and `DELETE …_association(id)/$ref`.

    Raises:
        Refusal: The caller may not, there is no such row, or the method is another.
    """
    table, method = address.table, call.request.method
    own_id, row = find_row(platform.rows, address)
    platform.records.caller.require_on(platform.rows, table, Access.WRITE, row)
    inside = re.fullmatch(r"\w+(?P<key>\(.*\))?/\$ref", address.rest)
    if method == "POST" and inside is not None and not inside["key"]:
        target = read_object(table, call.request.body).get("@odata.id")
        if not isinstance(target, str):
            raise payload(table, "The required instance annotation 'odata.id' is missing.")
        association.link(platform.rows, own_id, _other(platform, call, association, target)[0])
    elif method == "DELETE" and inside is not None and inside["key"]:
        other = f"{association.target_set}{inside['key']}"
        association.unlink(platform.rows, own_id, _other(platform, call, association, other)[0])
    else:
        raise bad_uri(f"The method {method} is not allowed for this resource.")
    return Response(204)


def _other(platform: Platform, call: Call, association: Association, text: str) -> tuple[str, Row]:
    address = parse_address(ROOT.sub("", call.resolve(text), count=1))
    if address.table.entity_set != association.target_set or not address.is_row:
        raise bad_uri(f"'{text}' addresses no row of '{association.target_set}'.")
    return find_row(platform.rows, address)


def _privileges(platform: Platform, call: Call, user_id: str) -> Response:
    """`systemusers(…)/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()`."""
    held: list[dict[str, Any]] = [
        {
            "Depth": depth.name.capitalize(),
            "PrivilegeId": platform_id("privilege", name),
            "BusinessUnitId": platform.rights.caller(user_id).business_unit_id,
            "PrivilegeName": name,
            "RecordFilterId": "00000000-0000-0000-0000-000000000000",
        }
        for name, depth in platform.rights.held(user_id).items()
    ]
    return answer(call, f"{NAMESPACE}RetrieveUserPrivilegesResponse", {"RolePrivileges": held})
