"""Unit groups."""

from __future__ import annotations

from typing import ClassVar

from tagline.domain.model import Model, Remote, column


class UnitGroup(Model):
    """Units that convert into each other; making one makes its base unit too."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "uomschedule", "uomschedules", "uomscheduleid", (("name",),)
    )

    uomscheduleid: str | None = column()
    name: str | None = column(required=True, max_length=200)
    baseuomname: str | None = column(max_length=100)
    description: str | None = column(max_length=2000)
    statecode: int | None = column(create=False, options=(0, 1))
