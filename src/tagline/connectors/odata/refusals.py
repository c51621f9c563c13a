"""Refusals of values that have no form on an OData service's wire, or come back in another than the model says; never with the value."""

from __future__ import annotations

from tagline.domain.model import Model
from tagline.errors import RecordError


def not_addressable(model: type[Model], name: str, reason: str) -> RecordError:
    """A value of a key cannot stand in an address."""
    return RecordError(
        f"{model.remote.entity}.{name} {reason}, so that no row can be addressed by it",
        code="key-not-addressable",
        where={"entity": model.remote.entity, "field": name},
        hint="give every column of the key in the mapping",
    )


def not_sendable(model: type[Model], name: str, reason: str) -> RecordError:
    """A value cannot stand in a body."""
    return RecordError(
        f"{model.remote.entity}.{name} {reason}, which cannot be sent",
        code="value-not-sendable",
        where={"entity": model.remote.entity, "field": name},
        hint="correct the rule of this field",
    )


def unexpected(model: type[Model], name: str) -> RecordError:
    """A value that was read is of another type than the model says."""
    return RecordError(
        f"{model.remote.entity}.{name} holds a value of another type than the model says",
        code="column-unexpected",
        where={"entity": model.remote.entity, "field": name},
        hint="compare the model with the remote's schema",
    )
