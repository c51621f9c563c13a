"""Rights that an application holds beyond what its work needs: least privilege, looked at from the other side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tagline.connectors.dataverse.rights import Depth

SETS_UP: Final = frozenset(
    {
        "prvCreateAttribute",
        "prvCreateRole",
        "prvImportCustomization",
        "prvPublishCustomization",
        "prvWriteEntity",
        "prvWriteRole",
    }
)
"""
Privileges by which the roles System Administrator and System Customizer show; reading one's roles by name would itself need
a right. Uncertain.
"""
FAR_BEYOND: Final = 25
"""
Privileges to change rows of the whole organisation that no flow needs, from which on they are told. Some come with a role
that lets an application in at all.
"""
_CHANGES: Final = re.compile(r"prv(Create|Write|Delete|Append|AppendTo|Assign|Share|Merge|Bypass)\w*")


def excess(held: Mapping[str, int], needed: Mapping[str, int]) -> str:
    """
    What is held far beyond need, in words; empty where little or nothing is.

    Args:
        held: Rank of the depth of each privilege by its name, see `Depth.rank`.
        needed: The same of what the work needs.
    """
    if found := sorted((SETS_UP & held.keys()) - needed.keys()):
        return f"what a System Administrator or System Customizer holds ({', '.join(found)})"
    beyond = [
        name
        for name, rank in held.items()
        if rank == Depth.ORGANISATION.rank and needed.get(name, -1) < rank and _CHANGES.fullmatch(name)
    ]
    if len(beyond) >= FAR_BEYOND:
        return f"{len(beyond)} rights to change rows of the whole organisation that no flow needs"
    return ""
