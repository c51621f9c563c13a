"""
Before- and after-images: values of a row as JSON with types, encrypted before they reach the disk.

JSON knows no decimals, instants or references; each stands as an object with one `$` name, so that what is
read back equals what was written. `Ref` is stored by system and entity and finds its model among the loaded ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, cast

from tagline.domain.exchange import Key
from tagline.domain.model import Model, Ref
from tagline.errors import UsageError
from tagline.runtime.key_ring import Key as SealingKey
from tagline.runtime.key_ring import KeyRing


class Images:
    """Encrypts and decrypts images with the keys of a ring; beside each image stands the id of its key."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring

    def seal(self, values: Mapping[str, Any] | None, key: SealingKey) -> bytes | None:
        """
        Encrypt an image.

        Args:
            key: As `rotation.sealing_key` gives it out; its id is to be stored beside the image.
        """
        return None if values is None else key.seal(to_text(values).encode())

    def unseal(self, blob: bytes | None, key_id: str) -> Mapping[str, Any] | None:
        """
        Decrypt an image.

        Args:
            blob: As stored; None stays None.
            key_id: The key that encrypted it, as stored beside it.

        Raises:
            TryAgainError: The ring does not hold that key (code `state-key-wrong`).
            UsageError: The image was damaged (code `image-unreadable`).
        """
        text = self.text(blob, key_id)
        return None if text is None else cast(Mapping[str, Any], from_text(text))

    def text(self, blob: bytes | None, key_id: str) -> str | None:
        """Decrypt an image into the JSON that `to_text` made; needs no model loaded."""
        return None if blob is None else self.ring.key(key_id).unseal(blob).decode()


def to_text(value: Any) -> str:
    """A value of a row, or a mapping of them, as canonical JSON with types."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_text(text: str) -> Any:
    """What `to_text` wrote; sequences come back as tuples."""
    return _typed(json.loads(text))


def key_from_text(text: str) -> Key:
    return tuple((str(name), value) for name, value in from_text(text))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        return {"$instant": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Ref):
        remote = value.model.remote
        return {"$ref": [remote.system, remote.entity, _plain(value.key)]}
    if isinstance(value, Mapping):
        return {"$map": [[_plain(k), _plain(v)] for k, v in sorted(value.items(), key=lambda i: str(i[0]))]}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    raise TypeError(f"a row cannot hold a {type(value).__name__}")


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_typed(v) for v in value)
    if not isinstance(value, dict):
        return value
    ((tag, inner),) = value.items()
    match tag:
        case "$decimal":
            return Decimal(inner)
        case "$instant":
            return datetime.fromisoformat(inner)
        case "$date":
            return date.fromisoformat(inner)
        case "$ref":
            system, entity, key = inner
            return Ref(_model(system, entity), _typed(key))
        case _:
            return {_typed(k): _typed(v) for k, v in inner}


def _model(system: str, entity: str) -> type[Model]:
    for model in _models(Model):
        remote = getattr(model, "remote", None)
        if remote is not None and (remote.system, remote.entity) == (system, entity):
            return model
    raise UsageError(
        f"an image refers to {system} {entity}, and no loaded model describes it",
        code="image-model-unknown",
        hint="read the journal from the deployment that wrote it, or with its connector loaded",
    )


def _models(model: type[Model]) -> Iterator[type[Model]]:
    for each in model.__subclasses__():
        yield each
        yield from _models(each)
