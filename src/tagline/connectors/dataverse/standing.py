"""How much of a solution stands in an organisation already: columns, alternate keys and the role's privileges.

Its version alone does not tell: a development version changes without a new number, and what a managed solution closes
an administrator may still have changed. Source: reference/dataverse-api.md section 14.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from tagline.connectors.dataverse.rights import Right
from tagline.connectors.dataverse.schema import questions, schema_of
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.solution import Solution, role_id
from tagline.connectors.dataverse.wire import ROOT
from tagline.domain.schema import Schema
from tagline.errors import NotAuthorisedError, RecordError

NAMES_AT_ONCE: Final = 20
"""Privileges asked for in one filter, so that its address stays short."""


def differences(session: Session, solution: Solution) -> list[str]:
    """
    What an import of the solution would bring or change, for people; empty where everything stands.

    Needs the rights of whoever sets an organisation up.
    """
    found: list[str] = []
    for table in sorted({c.table for c in solution.columns} | {k.table for k in solution.keys}):
        found += _of_table(solution, table, _schema(session, table))
    try:
        found += _of_role(session, solution)
    except (NotAuthorisedError, RecordError):
        found.append(f"the role {solution.role}, whose privileges may not be read")
    return found


def _schema(session: Session, table: str) -> Schema | None:
    doing = f"reading the schema of {table}"
    answers = session.batch(questions(table))
    if answers[0].status == 404:
        return None
    for answer in answers:
        session.judge(answer, doing)
    return schema_of(table, [session.object_of(answer.json(), doing) for answer in answers])


def _of_table(solution: Solution, table: str, schema: Schema | None) -> Iterator[str]:
    if schema is None:
        yield f"the table {table}"
        return
    for column in (c for c in solution.columns if c.table == table):
        there = schema.columns.get(column.name)
        if there is None:
            yield f"the column {table}.{column.name}"
        elif there.max_length is not None and there.max_length < (column.max_length or 0):
            yield f"the column {table}.{column.name}, {there.max_length} characters long instead of {column.max_length}"
    standing = {frozenset(key.columns) for key in schema.keys}
    for own in (k for k in solution.keys if k.table == table):
        if frozenset(own.columns) not in standing:
            yield f"the key {own.name}"


def _of_role(session: Session, solution: Solution) -> Iterator[str]:
    role, doing = role_id(solution), "reading the role"
    held: dict[str, int] = {}
    target = (
        f"{ROOT}/roleprivilegescollection?$select=privilegeid,privilegedepthmask&$filter=roleid%20eq%20{role}"
    )
    for row in session.rows(target, doing):
        mask = row.get("privilegedepthmask")
        held[str(row.get("privilegeid", "")).lower()] = mask if isinstance(mask, int) else 0
    if not held:
        yield f"the role {solution.role}"
        return
    ids = _ids(session, solution.rights)
    for right in solution.rights:
        # One that the organisation does not know cannot be brought by an import; the doctor tells of it.
        if right.privilege in ids and held.get(ids[right.privilege]) != 1 << right.depth.rank:
            yield f"{right.privilege} in the role {solution.role}"
    if spare := len(held.keys() - set(ids.values())):
        yield f"{spare} privileges in the role {solution.role} that the flows do not need"


def _ids(session: Session, rights: Sequence[Right]) -> Mapping[str, str]:
    """By name, the ids of those privileges that the organisation knows."""
    found: dict[str, str] = {}
    names = [right.privilege for right in rights]
    for start in range(0, len(names), NAMES_AT_ONCE):
        asked = quote(" or ".join(f"name eq '{name}'" for name in names[start : start + NAMES_AT_ONCE]))
        target = f"{ROOT}/privileges?$select=name,privilegeid&$filter={asked}"
        for row in session.rows(target, "reading privileges"):
            found[str(row.get("name"))] = str(row.get("privilegeid", "")).lower()
    return found
