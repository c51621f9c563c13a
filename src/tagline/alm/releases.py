"""Releases: an annotated tag as the name of a closure, made once and never moved."""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from typing import Final

from tagline.alm import branches, tags
from tagline.alm import closure as closures
from tagline.alm.closure import FOLDER, Closure
from tagline.alm.git import MAIN, Repository
from tagline.alm.objects import trailers
from tagline.alm.tags import Tag
from tagline.domain.lifecycle import Release
from tagline.errors import RefusedError, UsageError

_TAG: Final = re.compile(r"([a-z][a-z0-9_]*)/v([0-9][A-Za-z0-9.+-]*)")


def release(repo: Repository, integration: str, *, by: str, at: datetime) -> Release:
    """
    Give what HEAD holds of an integration the name `<integration>/v<version>`, here and on the remote.

    The same content under the same name again is no error, so an interrupted release can be repeated. A deployment asks for
    evidence; a release does not.

    Raises:
        RefusedError: The working copy differs from HEAD (code `uncommitted-changes`), the change log does not open with
            this version (`changelog-missing`), or the name belongs to other content (`tag-exists`).
        TryAgainError: The remote is away (code `remote-unreachable`); nothing is left behind.
    """
    head = repo.resolve("HEAD")
    if head is None:
        raise UsageError("there is no commit yet", code="main-missing", hint="commit the integration first")
    found = closures.of(repo, head, integration)
    _refuse_uncommitted(repo, found)
    _refuse_unlogged(repo, found)
    name = f"{integration}/v{found.version}"
    if repo.has_remote and (theirs := tags.on_remote(repo, name)):
        ours = tags.read(repo, name)
        if ours is None:
            tags.fetch(repo, name)
        elif ours.object != theirs:
            raise _moved(name, ours.object, theirs, "here", "on the remote")
    tag = tags.read(repo, name)
    if tag is not None:
        recorded = trailers(tag.message).get("Closure")
        if recorded != found.digest:
            raise RefusedError(
                f"{name} already names {_told(recorded)}; HEAD holds {closures.short(found.digest)}",
                code="tag-exists",
                where={"release": name, "tag": tag.object},
                hint=f"raise the version in {FOLDER}/{integration}/pyproject.toml and CHANGELOG.md, and commit",
            )
        made = False
    else:
        tag = tags.create(repo, name, head, message=_message(found), by=by, at=at)
        made = True
    if repo.has_remote:
        try:
            pushed = tags.push(repo, name)
        except BaseException:
            if made:
                tags.delete(repo, tag)
            raise
        if not pushed:
            if made:
                tags.delete(repo, tag)
            raise RefusedError(
                f"somebody released {name} meanwhile",
                code="tag-exists",
                where={"release": name},
                hint=f"look at theirs with git fetch origin tag {name}, then raise the version",
            )
    return Release(
        integration=integration,
        version=found.version,
        closure=found.digest,
        commit=tag.commit,
        tag_object=tag.object,
    )


def warnings(repo: Repository, made: Release) -> tuple[str, ...]:
    """What is odd about a release, though it stands: so far, that its commit is not on main (yet)."""
    repo.refresh()
    main = repo.head(MAIN)
    if main is None or repo.is_ancestor(made.commit, main):
        return ()
    return (f"commit {made.commit[:10]} of {made.tag} is not on {MAIN}",)


def find(repo: Repository, tag: str) -> Release:
    """
    The release a tag names, if it still is what was released.

    Raises:
        UsageError: The name is none of a release (code `release-name`), or there is no such tag (`release-unknown`).
        RefusedError: The tag is not what it was (code `tag-moved`, with both object ids).
        TryAgainError: The remote is away (code `remote-unreachable`).
    """
    match = _TAG.fullmatch(tag)
    if match is None:
        raise UsageError(
            f"{tag!r} is no release",
            code="release-name",
            where={"release": tag},
            hint="write <integration>/v<version>, for example order_to_cash/v1.0.0",
        )
    integration, version = match.groups()
    repo.refresh()
    found = _agreed(repo, tag)
    recorded = trailers(found.message).get("Closure")
    made = closures.of(repo, found.commit, integration)
    if (recorded, made.version) != (made.digest, version):
        raise RefusedError(
            f"{tag} ({found.object}) records {_told(recorded)}, its commit {found.commit} holds "
            f"{made.version} ({closures.short(made.digest)})",
            code="tag-moved",
            where={"release": tag, "tag": found.object, "commit": found.commit},
            hint="a release is made by tagline release; make a new version of what should run",
        )
    for environment, known in _recorded(repo, integration, version):
        if known != found.object:
            raise _moved(tag, known, found.object, f"as {environment} deployed it", "now")
    return Release(
        integration=integration,
        version=version,
        closure=made.digest,
        commit=found.commit,
        tag_object=found.object,
    )


def _agreed(repo: Repository, tag: str) -> Tag:
    """The tag, the same here as on the remote."""
    found = tags.read(repo, tag)
    if repo.has_remote:
        theirs = tags.on_remote(repo, tag)
        if found is None and theirs is not None:
            tags.fetch(repo, tag)
            found = tags.read(repo, tag)
        elif found is not None and theirs is not None and theirs != found.object:
            raise _moved(tag, found.object, theirs, "here", "on the remote")
        elif found is not None and theirs is None:
            raise RefusedError(
                f"the remote has no tag {tag}; this repository has {found.object}",
                code="tag-missing",
                where={"release": tag, "tag": found.object},
                hint="somebody removed it, or the release was never finished: run tagline release again",
            )
    if found is None:
        known = tags.names(repo)
        near = difflib.get_close_matches(tag, known, 1)
        own = [k for k in known if k.startswith(tag.split("/", maxsplit=1)[0] + "/")]
        raise UsageError(
            f"there is no release {tag}",
            code="release-unknown",
            where={"release": tag},
            hint=f"did you mean {near[0]}?" if near else f"there are: {', '.join(own) or 'none yet'}",
        )
    return found


def _recorded(repo: Repository, integration: str, version: str) -> list[tuple[str, str]]:
    """Environment and tag object of every decision about this version."""
    return [
        (environment, decision.tag_object)
        for environment in branches.environments(repo)
        for decision in branches.history(repo, environment)
        if (decision.integration, decision.version) == (integration, version)
    ]


def _refuse_uncommitted(repo: Repository, found: Closure) -> None:
    for name in (found.integration, *found.libraries):
        path = f"{FOLDER}/{name}"
        if repo.differs_from_head(path):
            raise RefusedError(
                f"{path} differs from what is committed",
                code="uncommitted-changes",
                where={"integration": found.integration, "path": path},
                hint="commit it, or set it aside with git stash; a release is what is committed",
            )


def _refuse_unlogged(repo: Repository, found: Closure) -> None:
    path = f"{FOLDER}/{found.integration}/CHANGELOG.md"
    content = repo.read(found.commit, path)
    text = content.decode("utf-8", "replace") if content else ""
    # The title of the page is no version; the first heading with a number is the top one.
    headings = re.findall(r"^#{1,3}[^\n0-9]*?\[?v?([0-9]+(?:\.[0-9]+)+[A-Za-z0-9.+-]*)", text, re.MULTILINE)
    if not headings or headings[0] != found.version:
        top = f"opens with {headings[0]}" if headings else "has no heading with a version"
        raise RefusedError(
            f"{path} {'is missing' if content is None else top}, the version is {found.version}",
            code="changelog-missing",
            where={"integration": found.integration, "file": path},
            hint=f"put `## {found.version}` on top with what changed for its users, and commit",
        )


def _message(found: Closure) -> str:
    return (
        f"{found.integration} {found.version}\n\n"
        f"Integration: {found.integration}\nVersion: {found.version}\nClosure: {found.digest}\n"
    )


def _told(recorded: str | None) -> str:
    return closures.short(recorded) if recorded else "no closure"


def _moved(tag: str, old: str, new: str, before: str, after: str) -> RefusedError:
    return RefusedError(
        f"{tag} was moved: it is {old} {before} and {new} {after}",
        code="tag-moved",
        where={"release": tag, "recorded": old, "found": new},
        hint="a release is never moved; find out who did, put the old tag back and release a new version",
    )
