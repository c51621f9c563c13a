"""The code of an integration, for commands that need its flows and models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagline.cli.state import State

if TYPE_CHECKING:
    from tagline.integration import Integration


def package_of(state: State, name: str) -> Integration:
    """
    An integration as it is deployed on this machine, else as it stands in the working copy.

    The process stands at the repository's top, as `cli.top` leaves it. Raises as `integration.load` and `load_from` do.
    """
    from tagline.integration import load, load_from

    active = state.store.active(name)
    place = state.folder / "deployments" / (active.deployment.id if active else "")
    if active is None or not place.is_dir():
        return load_from(Path.cwd(), name)
    libraries = place / "libraries"
    return load(place / "code", sorted(libraries.iterdir()) if libraries.is_dir() else ())
