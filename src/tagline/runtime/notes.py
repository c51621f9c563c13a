"""What people did about dead letters: who, when, and in which words; the words encrypted, since people write what they like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa

from tagline.errors import TaglineError
from tagline.runtime.images import Images
from tagline.runtime.rotation import sealing_key
from tagline.runtime.tables import letter_notes

Deed = Literal["note", "assigned", "redriven", "discarded"]

UNREADABLE: Final = "(cannot be read: its key is gone)"


@dataclass(frozen=True)
class Note:
    """One thing that somebody did about a letter."""

    letter: int
    at: datetime
    author: str
    """`Name <mail>`; empty where a program did it."""
    what: str
    """A `Deed`."""
    text: str
    """The note, the person it was assigned to, the fields that were overridden, or the reason for discarding."""


def add(
    conn: sa.Connection,
    images: Images,
    letters: Sequence[int],
    what: Deed,
    text: str,
    author: str,
    now: datetime,
) -> None:
    """Keep the same note for each of these letters, in a writing transaction."""
    if not letters:
        return
    key = sealing_key(conn, images.ring, now) if text else None
    common = {"at": now, "author": author, "what": what, "key_id": key.id if key else ""}
    conn.execute(
        sa.insert(letter_notes),
        [
            {**common, "letter": letter, "text": images.seal({"text": text}, key) if key else None}
            for letter in letters
        ],
    )


def of(conn: sa.Connection, images: Images, letters: Sequence[int]) -> Sequence[Note]:
    """The notes of these letters, oldest first."""
    found: list[Note] = []
    for start in range(0, len(letters), 500):
        query = sa.select(letter_notes).where(letter_notes.c.letter.in_(letters[start : start + 500]))
        found += [_note(images, row) for row in conn.execute(query.order_by(letter_notes.c.id)).mappings()]
    return sorted(found, key=lambda note: note.at)


def _note(images: Images, row: sa.RowMapping) -> Note:
    try:
        text = str((images.unseal(row["text"], row["key_id"]) or {}).get("text", ""))
    except TaglineError:
        text = UNREADABLE
    return Note(row["letter"], row["at"], row["author"], row["what"], text)
