"""What the rows of an entity are like, in a cursor: a digest of each row by its id, packed."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors import json_values
from tagline.domain.scrub import scrub
from tagline.errors import UsageError

VERSION: Final = 2
MARK: Final = '"rows"'
"""Stands in every such cursor and in no other."""


@dataclass(frozen=True)
class Likeness:
    """What each row was like; as text some ten bytes a row."""

    entity: str
    digests: Mapping[str, str]
    """By the row's id."""

    @classmethod
    def of(cls, text: str, entity: str) -> Likeness:
        """
        Read a cursor.

        Raises:
            UsageError: It is none (code `cursor-unreadable`).
        """
        try:
            told = json.loads(text)
            digests = json.loads(zlib.decompress(base64.b64decode(told["rows"], validate=True)))
            if (told["v"], told["entity"]) == (VERSION, entity):
                return cls(entity, {str(key): str(digest) for key, digest in digests.items()})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error):
            pass
        raise UsageError(
            f"the cursor of {entity} cannot be read",
            code="cursor-unreadable",
            hint="it was written by another connector or release; reset the flow's cursor",
        )

    def text(self) -> str:
        # Sorted, since ids that follow one another have most of their letters in common.
        plain = json.dumps(dict(sorted(self.digests.items())), separators=(",", ":")).encode()
        packed = base64.b64encode(zlib.compress(plain)).decode()
        return json.dumps({"v": VERSION, "entity": self.entity, "rows": packed})


def digest_of(row: Mapping[str, Any]) -> str:
    """Of a row's columns, in whatever order they came."""
    plain = json_values.dump(scrub(dict(sorted(row.items()))))
    return hashlib.sha256(plain.encode()).hexdigest()[:12]
