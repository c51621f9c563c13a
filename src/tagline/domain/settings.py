"""Settings of an integration: values that differ by environment, typed and documented by their author."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of an integration's settings; unknown keys are refused when an environment is rendered."""

    model_config = ConfigDict(frozen=True, extra="forbid")
