"""What an integration package declares, and loading it from a directory into checked values."""

from tagline.integration.load import (
    Integration,
    Project,
    libraries_of,
    load,
    load_from,
    parse_project,
    routes,
)

__all__ = ["Integration", "Project", "libraries_of", "load", "load_from", "parse_project", "routes"]
