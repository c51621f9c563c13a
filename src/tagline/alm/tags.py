"""Tags, here and on the remote: made once, never replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tagline.alm.git import NETWORK_S, Repository
from tagline.alm.objects import ORIGIN, remote_trouble, signature


@dataclass(frozen=True)
class Tag:
    """An annotated tag, or a plain one, whose object is then the commit itself."""

    name: str
    object: str
    commit: str
    message: str


def read(repo: Repository, name: str) -> Tag | None:
    """A tag of this repository, as it stands here."""
    ref = f"refs/tags/{name}"
    out = repo.run("for-each-ref", "--format=%(objectname)%00%(*objectname)%00%(contents)", ref)
    if not out:
        return None
    oid, peeled, message = out.decode("utf-8", "replace").split("\0", 2)
    return Tag(name, oid, repo.resolve(ref) or peeled, message)


def names(repo: Repository) -> tuple[str, ...]:
    """Every tag of this repository."""
    out = repo.run("for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags/")
    return tuple(out.decode().splitlines())


def on_remote(repo: Repository, name: str) -> str | None:
    """
    Object id of a tag on the remote; None when it has none.

    Raises:
        TryAgainError: The remote does not answer (code `remote-unreachable`).
    """
    status, out, err = repo.attempt("ls-remote", ORIGIN, f"refs/tags/{name}", timeout_s=NETWORK_S)
    if status:
        raise remote_trouble(err)
    return next((line.split("\t")[0] for line in out.decode().splitlines()), None)


def fetch(repo: Repository, name: str) -> None:
    """Bring a tag of the remote here; a local one of the same name is never replaced."""
    ref = f"refs/tags/{name}"
    status, _, err = repo.attempt(
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-auto-gc",
        "--no-write-fetch-head",
        ORIGIN,
        f"{ref}:{ref}",
        timeout_s=NETWORK_S,
    )
    if status:
        raise remote_trouble(err)


def create(repo: Repository, name: str, commit: str, *, message: str, by: str, at: datetime) -> Tag:
    """Make an annotated tag here; its name must be free."""
    repo.run(
        "tag",
        "--annotate",
        "--cleanup=verbatim",
        "--file=-",
        name,
        commit,
        stdin=message.encode(),
        env=signature(by, at),
    )
    made = read(repo, name)
    assert made is not None
    return made


def delete(repo: Repository, tag: Tag) -> None:
    """Remove a tag from this repository, provided that it still is that object."""
    repo.run("update-ref", "-d", f"refs/tags/{tag.name}", tag.object)


def push(repo: Repository, name: str) -> bool:
    """Send a tag to the remote; False when it has another object of that name."""
    ref = f"refs/tags/{name}"
    status, out, err = repo.attempt(
        "push", "--porcelain", "--no-verify", ORIGIN, f"{ref}:{ref}", timeout_s=NETWORK_S
    )
    if status == 0:
        return True
    told = f"{out.decode('utf-8', 'replace')}\n{err}"
    if "already exists" in told:
        return False
    raise remote_trouble(told)
