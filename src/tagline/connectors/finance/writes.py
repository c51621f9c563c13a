"""Writes as parts of a batch, and what their answers mean: pure, one part and one outcome per write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dispositions import FINANCE, Meaning
from tagline.connectors.finance.entities import Entity, entity_of
from tagline.connectors.finance.infolog import error_of, reason_in
from tagline.connectors.finance.reader import place_of
from tagline.connectors.finance.wire import COMPANY, CROSS, ROOT, fields_of, key_of_id, row_id, to_wire
from tagline.connectors.odata.batch import Part, PartAnswer
from tagline.connectors.odata.versions import etag_of
from tagline.domain.exchange import ROW_EXISTS, Outcome, Write, WriteKind
from tagline.errors import Disposition, RecordError

JSON: Final = {"Accept": "application/json", "Content-Type": "application/json"}


def part_of(write: Write, company: str) -> Part:
    """
    The request that makes a write.

    An update or a delete needs the row, and its version where one is known. A create by a number that is taken is refused by
    Finance; by a key of ours it is not, so that whoever creates has looked for the row before.

    Raises:
        RecordError: It has no form on the wire (codes `key-not-addressable`, `value-not-sendable`, `not-supported`).
    """
    entity = entity_of(write.model)
    if entity.is_read_only or write.kind is WriteKind.ACT:
        raise _not_supported(write, entity)
    if write.kind is WriteKind.CREATE:
        return _post(write, entity, company)
    url = f"{place_of(entity, company, write.key, write.id)}?{CROSS}"
    condition = {"If-Match": write.etag or "*"}
    if write.kind is WriteKind.DELETE:
        return Part("DELETE", url, condition)
    return Part("PATCH", url, {**JSON, **condition}, _body(to_wire(entity, write.fields)))


def outcome_of(write: Write, answer: PartAnswer, retry_after: float | None = None) -> Outcome:
    """What became of a write; names columns and entities, never values."""
    clue, text = error_of(answer) if answer.status >= 400 else ("", "")
    meaning = _in_context(write, FINANCE.judge(answer.status, clue))
    if meaning.disposition is Disposition.DONE:
        return _done(write, answer)
    if write.kind is WriteKind.DELETE and meaning.code == "row-absent":
        return Outcome(Disposition.DONE, id=write.id)
    doing = f"{write.kind.value} of {write.model.remote.entity}"
    return Outcome(
        meaning.disposition,
        id=write.id,
        code=meaning.code,
        message=f"Finance answered {answer.status} to {doing}{reason_in(text, write.fields)}",
        hint=meaning.hint,
        retry_after_s=retry_after,
    )


def _post(write: Write, entity: Entity, company: str) -> Part:
    given: Mapping[str, Any] = write.fields
    local = entity.model.remote.primary_id
    if local in given and fields_of(entity.model)[local].is_local:
        given = {**given, **key_of_id(entity, str(given[local]))}
    own = {COMPANY: company} if entity.has_company else {}
    url = f"{ROOT}/{entity.model.remote.collection}?{CROSS}"
    headers = {**JSON, "Prefer": "return=representation"}
    return Part("POST", url, headers, _body({**own, **to_wire(entity, given)}))


def _done(write: Write, answer: PartAnswer) -> Outcome:
    if write.kind is not WriteKind.CREATE:
        return Outcome(Disposition.DONE, id=write.id, etag=etag_of({}, answer.headers))
    row = answer.json()
    etag = etag_of(row) if isinstance(row, Mapping) else None
    try:
        made = row_id(entity_of(write.model), row) if isinstance(row, Mapping) else ""
    except RecordError:
        made = ""
    # Without the row in the answer, its number is read by the key that it was created with.
    return Outcome(Disposition.DONE, id=made or None, etag=etag)


def _in_context(write: Write, meaning: Meaning) -> Meaning:
    """What the same answer means for this kind of write."""
    if meaning.code == ROW_EXISTS and write.kind is not WriteKind.CREATE:
        return Meaning(
            Disposition.DEAD_LETTER,
            code="key-taken",
            hint="another row has this key: correct the one or the other, then redrive",
        )
    return meaning


def _body(members: Mapping[str, Any]) -> bytes:
    return json_values.dump(members).encode()


def _not_supported(write: Write, entity: Entity) -> RecordError:
    name = entity.model.remote.entity
    if write.kind is WriteKind.ACT:
        return RecordError(
            f"{name} has no action {write.action}",
            code="not-supported",
            where={"entity": name, "action": write.action},
            hint="take the act out of the flow; let people or a batch job in Finance post, confirm and invoice what it prepares",
        )
    return RecordError(
        f"{name} is only read",
        code="not-supported",
        where={"entity": name},
        hint="take the write out of the flow; Finance makes these rows itself",
    )
