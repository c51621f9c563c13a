"""Writes as parts of a batch, and what their answers mean: pure, one part and one outcome per write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dataverse.actions import JSON, action_of, row_of
from tagline.connectors.dataverse.wire import ROOT, address, is_addressable, is_guid, to_wire
from tagline.connectors.dispositions import DATAVERSE, Meaning
from tagline.connectors.messages import Answer
from tagline.connectors.odata.batch import Part, PartAnswer
from tagline.connectors.odata.versions import etag_of
from tagline.domain.exchange import ROW_CHANGED, Outcome, Write, WriteKind
from tagline.domain.model import Ref
from tagline.errors import Disposition

_ROW_OF_KEY: Final = "0x80060891"
_ROW_OF_ID: Final = "0x80040217"
_KEY_TAKEN: Final = "0x80060892"


def part_of(write: Write) -> Part:
    """
    The request that makes a write.

    A create is a PATCH of the key that must not exist, an update or a delete needs the row, and its version where one
    is known: nothing is created or overwritten by accident. Where no address can carry the key, a create is a POST, and
    the organisation's own check of alternate keys refuses a second one.

    Raises:
        RecordError: It has no form on the wire (codes `key-not-addressable`, `value-not-sendable`, `not-supported`).
    """
    match write.kind:
        case WriteKind.CREATE:
            if not is_addressable(write.model, write.key):
                fields = {**dict(write.key), **write.fields}
                return _writing("POST", write, write.model.remote.collection, {}, fields)
            row = address(write.model, write.key)
            return _writing("PATCH", write, row, {"If-None-Match": "*"}, write.fields)
        case WriteKind.UPDATE:
            condition = {"If-Match": write.etag or "*"}
            return _writing("PATCH", write, row_of(write), condition, write.fields)
        case WriteKind.DELETE:
            return Part("DELETE", f"{ROOT}/{row_of(write)}", {"If-Match": write.etag or "*"})
        case WriteKind.ACT:
            return action_of(write).part(write)


def outcome_of(write: Write, answer: PartAnswer, retry_after: float | None = None) -> Outcome:
    """What became of a write; names columns and tables, never values."""
    code, text = error_of(answer)
    meaning = DATAVERSE.judge(answer.status, code)
    if meaning.disposition is Disposition.DONE:
        return _done(write, answer)
    if write.kind is WriteKind.DELETE and code in (_ROW_OF_KEY, _ROW_OF_ID):
        return Outcome(Disposition.DONE, id=write.id)
    meaning = _in_context(write, answer.status, code, text, meaning)
    return Outcome(
        meaning.disposition,
        id=write.id,
        code=meaning.code,
        message=_message(write, answer.status, code, text),
        hint=meaning.hint,
        retry_after_s=retry_after,
    )


def error_of(answer: Answer | PartAnswer) -> tuple[str, str]:
    """Code and text of an error body; both empty when there is none."""
    try:
        body = json_values.parse(answer.body)
    except ValueError:
        return "", ""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return "", ""
    code = str(error.get("code", "")).lower()
    # It goes into messages, so that only what looks like a code is taken for one.
    return code if re.fullmatch(r"[a-z0-9._-]{0,40}", code) else "unreadable", str(error.get("message", ""))


def _writing(
    method: str, write: Write, place: str, condition: Mapping[str, str], fields: Mapping[str, Any]
) -> Part:
    headers = {**JSON, **condition, "Prefer": "return=representation"}
    body = json_values.dump(to_wire(write.model, fields)).encode()
    return Part(method, f"{ROOT}/{place}?$select={write.model.remote.primary_id}", headers, body)


def _done(write: Write, answer: PartAnswer) -> Outcome:
    if write.kind in (WriteKind.DELETE, WriteKind.ACT) and answer.status == 204:
        return Outcome(Disposition.DONE, id=write.id)
    body = answer.json()
    row = body if isinstance(body, Mapping) else {}
    if write.kind is WriteKind.ACT and (column := action_of(write).result_id):
        made = row.get(column)
        return Outcome(Disposition.DONE, id=write.id, result_id=made if is_guid(made) else None)
    named = re.search(r"\(([^()]+)\)\s*$", answer.headers.get("odata-entityid", ""))
    candidates = (row.get(write.model.remote.primary_id), named and named.group(1), write.id)
    found = next((c for c in candidates if is_guid(c)), None)
    if found is None:
        return Outcome(
            Disposition.RETRY,
            code="answer-incomplete",
            message=f"Dataverse did not tell the id of the {write.model.remote.entity} it wrote",
            hint="nothing to do; the row is read again",
        )
    return Outcome(Disposition.DONE, id=found, etag=etag_of(row, answer.headers))


def _in_context(write: Write, status: int, code: str, text: str, meaning: Meaning) -> Meaning:
    """What the same answer means for this kind of write."""
    if status == 412 and not code:
        return DATAVERSE.judge(412, "0x80040237" if write.kind is WriteKind.CREATE else "0x80060882")
    if code == _KEY_TAKEN and write.kind is not WriteKind.CREATE:
        return Meaning(
            Disposition.DEAD_LETTER,
            code="key-taken",
            hint="another row has this key: merge the two, then redrive",
        )
    if code in (_ROW_OF_KEY, _ROW_OF_ID):
        if _is_itself(write, code, text):
            return Meaning(Disposition.RETRY, ROW_CHANGED, "the row was deleted meanwhile; it is read again")
        return Meaning(
            Disposition.DEAD_LETTER,
            code="reference-absent",
            hint="create the row it refers to, or correct the key, then redrive",
        )
    return meaning


def _is_itself(write: Write, code: str, text: str) -> bool:
    """Whether the row that does not exist is the one to write, and not one it refers to; the codes do not tell."""
    if write.kind is WriteKind.CREATE:
        return False
    if not any(isinstance(v, Ref) for v in write.fields.values()):
        return True
    if code == _ROW_OF_KEY:
        return f" in {write.model.remote.entity} " in f"{text} "
    return write.id is not None and write.id.lower() in text.lower()


def _message(write: Write, status: int, code: str, text: str) -> str:
    """The remote's own text quotes values, so that only the columns it names are taken from it."""
    entity = write.model.remote.entity
    doing = write.action or write.kind.value
    named = [n for n in write.model.model_fields if re.search(rf"(?:'|\bfor ){re.escape(n)}\b", text)]
    absent = [
        n
        for n, v in write.fields.items()
        if isinstance(v, Ref) and re.search(rf"\b{v.model.remote.entity}\b", text, re.IGNORECASE)
    ]
    about = dict.fromkeys((*named, *absent))
    columns = f" about {', '.join(about)}" if about else ""
    return f"Dataverse answered {status} {code}".rstrip() + f" to {doing} of {entity}{columns}"
