"""One rule of a mapping, as it is read from the source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A target field and the expression that gives its value."""

    target: str
    """Field of the target; `lines[].quantity` for a field of a nested record."""
    expression: str
    """The expression as Python source, in the normal form of `ast.unparse`."""
    sources: tuple[str, ...]
    """Paths it reads, in reading order: `order.ShipmentList[].ShipmentCost`, `settings.price_level`; `order.*` where a
    function that cannot be read took the whole record."""
    line: int
    """In the mapping's own file; an inner rule's line is in the file of the mapping that it comes from."""
    inner: tuple[Rule, ...] = ()
    """Rules of the nested mappings that the expression calls, with their sources traced to this mapping's parameters."""
