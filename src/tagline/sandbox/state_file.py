"""
Keeping what the sites hold over a restart: one SQLite file, one transaction for each request that changed something.

A store tells of every row that changed; when the request has been answered, those rows are written together, still under
the site's lock. So a sandbox that was killed starts again with the last request that was answered.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol

from tagline.errors import UsageError

FORMAT: Final = 1
"""Changes when a newer sandbox cannot read what an older one kept."""
OWNER_ONLY: Final = 0o600
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS base (fact TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS kept"
    " (site TEXT, name TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (site, name, key));"
)
_FACTS: Final = ""
"""Name of the table that holds a store's facts."""
_ALLOWED: Final = frozenset(
    {("decimal", "Decimal"), ("datetime", "datetime"), ("datetime", "timezone"), ("datetime", "timedelta")}
    | {("builtins", "set"), ("builtins", "frozenset")}
)
Kept = tuple[str, Any, Any]
"""Name of a table, key of a row in it, and the row."""


class Store(Protocol):
    """What a site holds, as far as keeping it goes; rows are plain values and never changed in place."""

    on_change: Callable[[str, Any], None]
    """Told of every row that was put or removed."""

    def kept(self) -> Iterator[Kept]:
        """Every row."""
        ...

    def kept_row(self, name: str, key: Any) -> Any:
        """The row, None when it is gone."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """The small things beside the rows, written whole."""
        ...

    def restore(self, rows: Iterable[Kept], facts: Mapping[str, Any]) -> None:
        """Hold exactly this and nothing else."""
        ...


class StateFile:
    """
    One file for all sites, for its owner's eyes alone: tokens that were given to apps are in it.

    Args:
        path: The file; it is made where there is none, with the folders on the way.
        base: What it was made with; another sandbox does not fit it.

    Raises:
        UsageError: The file is none of ours (code `sandbox-state-unreadable`), belongs to another sandbox (code
            `sandbox-state-other`), is in use (code `sandbox-state-in-use`), or cannot be written at all (code
            `sandbox-file-unusable`).
    """

    def __init__(self, path: Path, base: Mapping[str, Any]) -> None:
        self.path = path
        self._stores: dict[str, Store] = {}
        self._changed: dict[str, set[tuple[str, Any]]] = {}
        self._lock = threading.Lock()
        _touch(path)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)
        try:
            self._open({"format": FORMAT, **base})
            _close_to_others(path)
        except sqlite3.OperationalError as error:
            self._database.close()
            raise UsageError(
                f"the state file {path} cannot be used: {error}",
                code="sandbox-state-in-use",
                hint="end the sandbox that uses it, or give another file to --state",
            ) from error
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise UsageError(
                f"{path} is no state file of the sandbox: {error}",
                code="sandbox-state-unreadable",
                hint="give --state another file, or delete this one and start anew",
            ) from error
        except UsageError:
            self._database.close()
            raise

    def _open(self, base: Mapping[str, Any]) -> None:
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        strangers = {
            name for (name,) in self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        } - {"base", "kept"}
        if strangers:
            raise UsageError(
                f"{self.path} is no state file of the sandbox: it holds the table {min(strangers)}",
                code="sandbox-state-unreadable",
                hint="give --state another file; this one belongs to another program",
            )
        self._database.executescript(_TABLES)
        found = {
            fact: json.loads(value) for fact, value in self._database.execute("SELECT fact, value FROM base")
        }
        self.is_new = not found
        """Whether it holds nothing yet; it does from the first `keep` on."""
        self._base = base
        differing = sorted(name for name in base if not self.is_new and found.get(name) != base[name])
        if differing:
            was = ", ".join(f"{name} {found.get(name)}" for name in differing)
            now = ", ".join(f"{name} {base[name]}" for name in differing)
            raise UsageError(
                f"{self.path} was made by another sandbox: it has {was}, this one {now}",
                code="sandbox-state-other",
                hint="start the sandbox as it was started then, or give --state another file",
            )

    def keep(self, stores: Mapping[str, Store]) -> None:
        """Let the stores hold what the file has, or write down what they hold where it is new; from now on changes are kept."""
        if self.is_new:
            with self._transaction():
                for site, store in stores.items():
                    self._write(
                        site, ((name, key, store.kept_row(name, key)) for name, key, _ in store.kept())
                    )
                    self._write(site, ((_FACTS, fact, value) for fact, value in store.facts().items()))
                for fact, value in self._base.items():
                    self._database.execute("INSERT INTO base VALUES (?, ?)", (fact, json.dumps(value)))
        else:
            for site, store in stores.items():
                rows = self._found(site)
                facts = {key: value for name, key, value in rows if name == _FACTS}
                store.restore([row for row in rows if row[0] != _FACTS], facts)
        for site, store in stores.items():
            self._stores[site] = store
            changed = self._changed[site] = set()
            store.on_change = _noting(changed)

    def commit(self, site: str, *, facts: bool = False) -> None:
        """
        Write what changed in a site since the last time; its lock must be held.

        Args:
            facts: Whether more than rows may have changed.
        """
        changed, store = self._changed[site], self._stores[site]
        if not changed and not facts:
            return
        with self._lock, self._transaction():
            self._write(site, ((name, key, store.kept_row(name, key)) for name, key in changed))
            self._write(site, ((_FACTS, fact, value) for fact, value in store.facts().items()))
        changed.clear()

    def close(self) -> None:
        """Everything was written; let go of the file."""
        self._database.close()

    def _found(self, site: str) -> list[Kept]:
        try:
            return self._read(site)
        except (pickle.UnpicklingError, zlib.error, EOFError, ValueError, AttributeError) as error:
            raise UsageError(
                f"{self.path} holds what cannot be read back: {error}",
                code="sandbox-state-unreadable",
                hint="delete it and start anew",
            ) from error

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)

    def _write(self, site: str, rows: Iterable[Kept]) -> None:
        for name, key, value in rows:
            place = (site, name, _key_text(key))
            if value is None:
                self._database.execute("DELETE FROM kept WHERE site = ? AND name = ? AND key = ?", place)
            else:
                self._database.execute(
                    "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", (*place, _packed(value))
                )

    def _read(self, site: str) -> list[Kept]:
        with closing(
            self._database.execute("SELECT name, key, value FROM kept WHERE site = ?", (site,))
        ) as found:
            return [(name, _key(key), _value(value)) for name, key, value in found]


def _touch(path: Path) -> None:
    """Make the file where there is none; what SQLite puts beside it takes on its mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY))
    except OSError as error:
        raise UsageError(
            f"the state file {path} cannot be written: {error.strerror}",
            code="sandbox-file-unusable",
            hint="give --state a file in a folder that you may write to",
        ) from error


def _close_to_others(path: Path) -> None:
    """Files of an earlier sandbox, or copied ones, may have been readable by everybody."""
    for file in (path, path.with_name(f"{path.name}-wal")):
        if file.exists():
            file.chmod(OWNER_ONLY)


class _Transaction:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._database.execute("COMMIT" if kind is None else "ROLLBACK")


def _noting(changed: set[tuple[str, Any]]) -> Callable[[str, Any], None]:
    return lambda name, key: changed.add((name, key))


def _packed(value: Any) -> bytes:
    return zlib.compress(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), 1)


class _Plain(pickle.Unpickler):
    """Plain values and nothing that runs code: a state file may come from anywhere."""

    def find_class(self, module: str, name: str) -> Any:
        """See `pickle.Unpickler`."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no plain value")
        return super().find_class(module, name)


def _value(packed: bytes) -> Any:
    return _Plain(io.BytesIO(zlib.decompress(packed))).load()


def _key_text(key: Any) -> str:
    """A key as text that is the same for equal parts: numbers, texts, decimals, and tuples of them."""
    return json.dumps(_named(key), ensure_ascii=False)


def _named(key: Any) -> Any:
    match key:
        case tuple():
            return [_named(part) for part in key]
        case Decimal():
            return {"decimal": str(key)}
    return key


def _key(text: str) -> Any:
    return _unnamed(json.loads(text))


def _unnamed(key: Any) -> Any:
    match key:
        case list():
            return tuple(_unnamed(part) for part in key)
        case {"decimal": digits}:
            return Decimal(digits)
    return key
