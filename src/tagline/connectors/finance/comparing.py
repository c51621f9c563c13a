"""What the rows of an entity are like, small enough for a cursor: a digest of each row, summed up in buckets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors import json_values
from tagline.domain.scrub import scrub
from tagline.errors import UsageError

BUCKETS: Final = 256
VERSION: Final = 1


@dataclass(frozen=True)
class Likeness:
    """What the rows of each bucket are like; it does not grow with the number of rows, and does not tell which rows there were."""

    entity: str
    buckets: tuple[str, ...]

    @classmethod
    def of_rows(cls, entity: str, digests: Mapping[str, str]) -> Likeness:
        """Args: digests: By the row's id."""
        members: list[list[str]] = [[] for _ in range(BUCKETS)]
        for row_id, digest in digests.items():
            members[bucket_of(row_id)].append(f"{row_id} {digest}")
        return cls(entity, tuple(_digest("\n".join(sorted(of))) for of in members))

    @classmethod
    def of(cls, text: str, entity: str) -> Likeness:
        """
        Read a cursor.

        Raises:
            UsageError: It is none (code `cursor-unreadable`).
        """
        try:
            told = json.loads(text)
            buckets = tuple(told["buckets"])
            if (told["v"], told["entity"], len(buckets)) == (VERSION, entity, BUCKETS):
                return cls(entity, buckets)
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        raise UsageError(
            f"the cursor of {entity} cannot be read",
            code="cursor-unreadable",
            hint="it was written by another connector or release; reset the flow's cursor",
        )

    def text(self) -> str:
        return json.dumps({"v": VERSION, "entity": self.entity, "buckets": self.buckets})

    def differing(self, other: Likeness) -> frozenset[int]:
        """Buckets whose rows are not as they were."""
        return frozenset(
            n for n, (one, two) in enumerate(zip(self.buckets, other.buckets, strict=True)) if one != two
        )


def bucket_of(row_id: str) -> int:
    return hashlib.sha256(row_id.encode()).digest()[0]


def digest_of(row: Mapping[str, Any]) -> str:
    """Of a row's columns, in whatever order they came."""
    return _digest(json_values.dump(scrub(dict(sorted(row.items())))))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
