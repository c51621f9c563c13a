"""Settings of an integration: values that differ by environment, typed and documented by their author."""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of an integration's settings; unknown keys are refused when an environment is rendered."""

    model_config = ConfigDict(frozen=True, extra="forbid")


START_AT: Final = "start_at"
"""Name of the setting that leaves older records alone, where an integration has one."""

S = TypeVar("S", bound=Settings)


def without_start(settings: S) -> S:
    """
    The settings for records that a person asked for by a back-fill or a redrive: `start_at` does not hold for them.

    A `start_at` that cannot be None is the author's own and stays.
    """
    field = type(settings).model_fields.get(START_AT)
    if field is None or field.is_required() or field.default is not None:
        return settings
    return settings.model_copy(update={START_AT: None})
