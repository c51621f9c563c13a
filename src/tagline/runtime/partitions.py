"""Parts that the records of an integration are dealt into by their keys."""

from __future__ import annotations

import zlib
from typing import Final

PARTITIONS: Final = 16
"""The most workers that can share one integration; changing it would let two of them have one record."""

ALL: Final = frozenset(range(PARTITIONS))


def partition_of(key: str) -> int:
    """The partition of a record's key: the same in every process and in every release."""
    return zlib.crc32(key.encode()) % PARTITIONS
