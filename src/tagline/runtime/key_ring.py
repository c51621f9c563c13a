"""
The key ring: the keys under which images are encrypted, kept outside the database and its backups.

It is a text with one key a line, 32 bytes in URL-safe Base64, the newest first; a line that begins with `#` is a comment. The
first key encrypts, all of them decrypt. A single key is a ring of one.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tagline.connectors.secrets import resolve_secret
from tagline.errors import RefusedError, TryAgainError, UsageError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""Random for each image; by NIST SP 800-38D a key is good for 2^32 of them, ten years of 13 a second."""
GCM: Final = b"\x01"
"""First byte of an image of ours; one that Fernet made, as the first tagline did, begins with the letter g."""


@dataclass(frozen=True)
class Key:
    """One key of a ring; `id` names it without telling it."""

    text: str = field(repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(b"tagline state key\0" + self.text.encode()).hexdigest()[:12]

    def seal(self, plain: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return GCM + nonce + self._cipher().encrypt(nonce, plain, self.id.encode())

    def unseal(self, blob: bytes) -> bytes:
        """
        What `seal` made, or the Fernet of the first tagline.

        Raises:
            UsageError: It was changed, or made with another key (code `image-unreadable`).
        """
        try:
            if blob[:1] == GCM:
                nonce, sealed = blob[1 : 1 + NONCE_BYTES], blob[1 + NONCE_BYTES :]
                return self._cipher().decrypt(nonce, sealed, self.id.encode())
            return Fernet(self.text).decrypt(blob)
        except (InvalidTag, InvalidToken, ValueError) as error:
            raise UsageError(
                f"an image that is marked with key {self.id} cannot be decrypted with it",
                code="image-unreadable",
                hint="the row was damaged or changed by hand: restore the state database from a backup",
            ) from error

    def _cipher(self) -> AESGCM:
        return AESGCM(base64.urlsafe_b64decode(self.text))


def make_key() -> Key:
    return Key(base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode())


@dataclass(frozen=True)
class Ring:
    """Keys, the newest first; at least one."""

    keys: tuple[Key, ...]

    @property
    def newest(self) -> Key:
        return self.keys[0]

    def get(self, identity: str) -> Key | None:
        return next((key for key in self.keys if key.id == identity), None)


def parse(text: str) -> Ring:
    """
    The ring that a text holds.

    Raises:
        UsageError: A line is no key, one stands there twice, or there is none (code `state-key-invalid`).
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    for number, line in keys:
        if not _is_key(line):
            raise _invalid(f"line {number} of the key ring is no key (32 bytes, URL-safe Base64)")
    if len({line for _, line in keys}) != len(keys):
        raise _invalid("the key ring holds a key twice")
    if not keys:
        raise _invalid("the key ring holds no key")
    return Ring(tuple(Key(line) for _, line in keys))


def _is_key(line: str) -> bool:
    try:
        return len(base64.b64decode(line, altchars=b"-_", validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _invalid(message: str) -> UsageError:
    return UsageError(
        message,
        code="state-key-invalid",
        hint="`tagline keys generate` prints a key; store it where `agent.state_key` points, one a line, the newest first",
    )


class KeyRing:
    """
    A ring that is read again when a key is asked for that it did not hold, so that a rotation needs no restart.

    Args:
        read: Gives the ring's text as it stands now; raises a `TaglineError` when it cannot.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._ring = parse(read())

    @classmethod
    def of(cls, text: str) -> KeyRing:
        """A ring that never changes."""
        return cls(lambda: text)

    @property
    def newest(self) -> Key:
        return self._ring.newest

    @property
    def keys(self) -> Sequence[Key]:
        return self._ring.keys

    def reread(self) -> None:
        """See what was changed; a ring that cannot be read just now stays as it was known."""
        with suppress(UsageError):
            self._ring = parse(self._read())

    def get(self, identity: str) -> Key | None:
        """The key of that id, for which the ring is read again where it was not there; None where it does not hold it."""
        if self._ring.get(identity) is None:
            self.reread()
        return self._ring.get(identity)

    def key(self, identity: str) -> Key:
        """
        The key of that id.

        Raises:
            TryAgainError: The ring does not hold it, also not when read again (code `state-key-wrong`).
        """
        found = self.get(identity)
        if found is None:
            held = ", ".join(key.id for key in self._ring.keys)
            raise TryAgainError(
                f"the key ring does not hold key {identity}; it holds {held}",
                code="state-key-wrong",
                where={"key": identity},
                hint="let `agent.state_key` point to the ring this state database was written with, the same on every machine",
            )
        return found


def ring_at(reference: str, secret: Callable[[str], str] = resolve_secret) -> KeyRing:
    """
    The ring that a reference of the configuration names.

    Raises:
        UsageError: Nothing stands there (`secret-missing`), or no ring (`state-key-invalid`).
    """
    return KeyRing(lambda: secret(reference))


class RingFile:
    """A ring in a file that may be changed, in place of whole: whoever is killed leaves the old one or the new one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, key: Key) -> None:
        """Put a key before all others."""
        with self._alone() as folder:
            self._replace(f"{key.text}\n{self._path.read_text(encoding='utf-8')}", folder)

    def remove(self, identity: str) -> None:
        """Take a key out; comments stay."""
        with self._alone() as folder:
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = (line for line in lines if not line.strip() or Key(line.strip()).id != identity)
            self._replace("".join(kept), folder)

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """While nobody else changes a ring of this folder: of two who read the same, one would drop the other's key."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(folder)

    def _replace(self, text: str, folder: int) -> None:
        parse(text)
        before = self._path.stat()
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        made = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as new:
                new.write(text)
                new.flush()
                os.fsync(new.fileno())
            made.chmod(before.st_mode & 0o777)
            if os.geteuid() == 0:
                os.chown(made, before.st_uid, before.st_gid)
            made.replace(self._path)
            os.fsync(folder)  # images follow under the new key: it must outlive a loss of power
        except BaseException:
            made.unlink()
            raise


def ring_file(reference: str) -> RingFile:
    """
    The file that a reference names.

    Raises:
        RefusedError: The ring is not in a file, so that nobody but its owner can change it (code `key-ring-fixed`).
    """
    kind, _, place = reference.partition(":")
    if kind != "file":
        raise RefusedError(
            f"the key ring stands at {reference}, which cannot be changed from here",
            code="key-ring-fixed",
            hint="put a new first line there (`tagline keys generate` prints one), restart what reads it, then rotate; "
            "or keep the ring in a file",
        )
    return RingFile(Path(place))
