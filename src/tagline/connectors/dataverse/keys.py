"""Alternate keys that a model is addressed by: made where they are missing, and waited for until they can be used.

Source: reference/dataverse-api.md section 7.1 and 14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.solution import PREFIX
from tagline.connectors.dataverse.wire import ROOT
from tagline.domain.model import Model
from tagline.errors import Disposition, RefusedError, TryAgainError

POLL_S: Final = 5.0
WAIT_S: Final = 600.0
"""Building an index takes seconds on small tables and minutes on large ones."""
ENGLISH: Final = 1033

ACTIVE: Final = "Active"
FAILED: Final = "Failed"


def ensure_keys(session: Session, model: type[Model]) -> list[str]:
    """
    Make the model's alternate keys where the table lacks them, and return once all are active.

    Needs the rights of whoever sets an organisation up.

    Returns:
        Names of the keys that were made.

    Raises:
        RefusedError: The index of a key could not be built (code `key-failed`).
        TryAgainError: A key is not active after ten minutes (code `key-not-active`).
    """
    standing = _standing(session, model)
    missing = [key for key in model.remote.keys if frozenset(key) not in standing]
    for key in missing:
        _add(session, model, key)
    waited = 0.0
    while pending := _pending(session, model):
        if waited >= WAIT_S:
            raise TryAgainError(
                f"{model.remote.entity} has keys that are not active yet: {', '.join(pending)}",
                code="key-not-active",
                where={"connection": session.name, "entity": model.remote.entity},
                hint="its index is being built: call again later",
                disposition=Disposition.RETRY,
            )
        session.clock.sleep(POLL_S)
        waited += POLL_S
    return [key_name(model, key) for key in missing]


def key_name(model: type[Model], key: Sequence[str]) -> str:
    """The name that a key of ours gets, for example `tl_account_customerkey`."""
    return "_".join((PREFIX, model.remote.entity, *(c.removeprefix(f"{PREFIX}_") for c in key)))


def _pending(session: Session, model: type[Model]) -> list[str]:
    """Keys of the model that cannot be used yet."""
    standing = _standing(session, model)
    pending = []
    for key in model.remote.keys:
        status = standing.get(frozenset(key), "")
        if status == FAILED:
            name = key_name(model, key)
            raise RefusedError(
                f"the key on {', '.join(key)} of {model.remote.entity} could not be built",
                code="key-failed",
                where={"connection": session.name, "entity": model.remote.entity, "key": name},
                hint="find rows that have the same values there, merge or clear them, then reactivate the key",
            )
        if status != ACTIVE:
            pending.append(key_name(model, key))
    return pending


def _standing(session: Session, model: type[Model]) -> dict[frozenset[str], str]:
    """By columns, the status of the index of every key of the table."""
    doing = f"reading the keys of {model.remote.entity}"
    target = f"{_keys_of(model)}?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus"
    found: dict[frozenset[str], str] = {}
    for raw in session.values_of(session.get(target, doing), doing):
        columns = raw.get("KeyAttributes")
        if isinstance(columns, list):
            found[frozenset(map(str, columns))] = str(raw.get("EntityKeyIndexStatus", ""))
    return found


def _add(session: Session, model: type[Model], key: Sequence[str]) -> None:
    name = key_name(model, key)
    body = {"SchemaName": name, "KeyAttributes": list(key), "DisplayName": _label(name)}
    answer = session.send("POST", _keys_of(model), body=body)
    session.judge(answer, f"adding the key {name}")


def _keys_of(model: type[Model]) -> str:
    return f"{ROOT}/EntityDefinitions(LogicalName='{model.remote.entity}')/Keys"


def _label(text: str) -> Mapping[str, Any]:
    kind = "Microsoft.Dynamics.CRM"
    localized = {"@odata.type": f"{kind}.LocalizedLabel", "Label": text, "LanguageCode": ENGLISH}
    return {"@odata.type": f"{kind}.Label", "LocalizedLabels": [localized]}
