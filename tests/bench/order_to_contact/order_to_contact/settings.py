"""It has none."""

from tagline import Settings


class NoSettings(Settings):
    """Nothing differs by environment."""
