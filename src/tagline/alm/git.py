"""
The only door to git: trees and blobs of a commit, commits without a working copy, branches appended by compare-and-swap.

Nothing here touches the working copy or its index. Where the repository has a remote `origin`, its branches are the
truth and the local ones are never read; without one, the local branches are.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from git.cmd import Git
from git.exc import GitCommandNotFound

from tagline.alm.objects import (
    DENIED,
    LOG_FORMAT,
    ORIGIN,
    Change,
    Commit,
    Entry,
    Tree,
    first_line,
    nested,
    no_repository,
    remote_trouble,
    signature,
    to_commit,
    to_entry,
)
from tagline.errors import RefusedError, TaglineError, TryAgainError, UsageError

MAIN: Final = "main"
_NOTHING: Final = "0" * 40
_ATTEMPTS: Final = 10
"""How often a ref that another process is just writing is tried again."""
NETWORK_S: Final = 120.0
"""Longest that a call to the remote may take."""
_FETCHED: Final = ("main", "env", "observed", "evidence")
"""Branches that are followed; each with whatever follows the name, so that a branch `env` in the way is seen."""


class Repository:
    """One repository; cheap to open, holds no process and no lock."""

    def __init__(self, root: Path, git_dir: Path, *, has_remote: bool) -> None:
        self.root = root
        """Top of the working copy; the git folder itself when there is none."""
        self.has_remote = has_remote
        self._git_dir = git_dir

    @classmethod
    def open(cls, path: Path) -> Repository:
        """
        Open the repository that holds `path`.

        Raises:
            UsageError: There is none, or no git program (code `repository-missing`).
        """
        asked = ["rev-parse", "--absolute-git-dir"]
        try:
            status, out, err = _execute(path, [*asked, "--show-toplevel"])
            if status:  # a bare repository has no top
                status, out, err = _execute(path, asked)
        except (GitCommandNotFound, OSError) as error:
            raise no_repository(path, "git could not be started there") from error
        if status:
            raise no_repository(path, first_line(err))
        git_dir, *top = (Path(line) for line in out.decode().splitlines())
        status, _, _ = _execute(path, ["config", "--get", f"remote.{ORIGIN}.url"])
        return cls(top[0] if top else git_dir, git_dir, has_remote=status == 0)

    # -- reading -----------------------------------------------------------------------------------

    def resolve(self, revision: str) -> str | None:
        """The commit a name stands for; None when there is none."""
        status, out, _ = self.attempt(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
        return out.decode().strip() if status == 0 else None

    def tree_id(self, commit: str, path: str = "") -> str | None:
        """Object id of whatever stands at `path` of a commit; None when nothing does."""
        status, out, _ = self.attempt(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{path}"
        )
        return out.decode().strip() if status == 0 else None

    def read(self, commit: str, path: str) -> bytes | None:
        """A file of a commit; None when there is none."""
        status, out, _ = self.attempt("cat-file", "blob", f"{commit}:{path}")
        return out if status == 0 else None

    def entries(self, tree: str, *, deep: bool = False) -> tuple[Entry, ...]:
        """The lines of a tree, given as `<commit>`, `<commit>:<path>` or an object id; empty when there is none."""
        status, out, _ = self.attempt("ls-tree", "-z", *(["-r"] if deep else []), tree)
        if status:
            return ()
        return tuple(to_entry(line) for line in out.decode("utf-8", "surrogateescape").split("\0") if line)

    def files(self, tree: str) -> dict[str, bytes]:
        """Every file below a tree by path, read by one process."""
        found = [e for e in self.entries(tree, deep=True) if e.kind == "blob"]
        return dict(zip((e.path for e in found), self._blobs([e.id for e in found]), strict=True))

    def write_out(self, tree: str, directory: Path) -> None:
        """
        Write a tree's files into a directory.

        Raises:
            RefusedError: It holds a link or a submodule (code `tree-unsafe`).
        """
        found = self.entries(tree, deep=True)
        odd = [e.path for e in found if e.kind != "blob" or e.mode == "120000"]
        if odd:
            raise RefusedError(
                f"{odd[0]} is a link or a submodule",
                code="tree-unsafe",
                where={"path": odd[0]},
                hint="an integration holds plain files only; commit the file itself",
            )
        directory.mkdir(parents=True, exist_ok=True)
        for entry, content in zip(found, self._blobs([e.id for e in found]), strict=True):
            path = directory / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if entry.mode == "100755":
                path.chmod(0o755)

    def log(self, *heads: str, excluding: str | None = None, paths: Sequence[str] = ()) -> tuple[Commit, ...]:
        """Commits reachable from the heads, newest first, optionally only those that touch some paths."""
        if not heads:
            return ()
        out = self.run(
            "-c",
            "log.showSignature=false",
            "log",
            "-z",
            "--topo-order",
            "--no-show-signature",
            f"--format={LOG_FORMAT}",
            *heads,
            *([f"^{excluding}"] if excluding else []),
            "--",
            *paths,
        )
        return tuple(to_commit(line) for line in out.decode("utf-8", "replace").split("\0") if line)

    def is_ancestor(self, older: str, newer: str) -> bool:
        status, _, _ = self.attempt("merge-base", "--is-ancestor", older, newer)
        return status == 0

    def differs_from_head(self, path: str) -> bool:
        """Whether the working copy or the index holds anything at `path` that HEAD does not."""
        out = self.run(
            "--no-optional-locks",
            "-C",
            str(self.root),
            "status",
            "--porcelain",
            "--untracked-files=normal",
            "--",
            path,
            work_tree=True,
        )
        return bool(out.strip())

    def identity(self) -> str:
        """
        `Name <mail>` of whoever works here, as git knows them.

        Raises:
            UsageError: git does not know (code `identity-missing`).
        """
        status, out, _ = self.attempt("var", "GIT_AUTHOR_IDENT")
        match = re.match(r"(.+ <.*>) \d+ [+-]\d+$", out.decode("utf-8", "replace").strip())
        if status or match is None:
            raise UsageError(
                "git does not know who you are",
                code="identity-missing",
                hint='run git config user.name "Your Name" and git config user.email you@example.com',
            )
        return match.group(1)

    # -- branches ----------------------------------------------------------------------------------

    def refresh(self) -> None:
        """
        Learn where the remote's branches stand; nothing without a remote.

        Raises:
            TryAgainError: The remote does not answer (code `remote-unreachable`).
            NotAuthorisedError: It does not let us in (code `remote-denied`).
        """
        if not self.has_remote:
            return
        specs = [f"+refs/heads/{name}*:refs/remotes/{ORIGIN}/{name}*" for name in _FETCHED]
        err = ""
        for _ in range(_ATTEMPTS):
            status, _, err = self.attempt(
                "fetch",
                "--quiet",
                "--prune",
                "--no-tags",
                "--no-auto-gc",
                "--no-write-fetch-head",
                ORIGIN,
                *specs,
                timeout_s=NETWORK_S,
            )
            if status == 0:
                return
            # Another process of this repository is fetching the same branch.
            if "cannot lock ref" not in err and "unable to update local ref" not in err:
                break
        raise remote_trouble(err)

    def head(self, branch: str) -> str | None:
        """
        The commit at the tip of a branch, as of the last `refresh`; None when there is no such branch.

        Raises:
            RefusedError: A branch whose name is the beginning of this one's makes it impossible (code `branch-in-the-way`).
        """
        found = self.resolve(self._ref(branch))
        if found is None:
            self._refuse_blocked(branch)
        return found

    def branches(self, prefix: str) -> tuple[str, ...]:
        """Names of the branches below `prefix/`, as of the last `refresh`."""
        base = self._ref("")
        out = self.run("for-each-ref", "--format=%(refname)", f"{base}{prefix}/")
        return tuple(line.removeprefix(base) for line in out.decode().splitlines())

    def main(self) -> str:
        """
        The tip of main as of the last `refresh`; without a remote and a branch main, HEAD.

        Raises:
            UsageError: There is no commit yet (code `main-missing`).
        """
        found = self.head(MAIN) or (None if self.has_remote else self.resolve("HEAD"))
        if found is None:
            raise UsageError(
                f"{'the remote' if self.has_remote else 'this repository'} has no branch {MAIN}",
                code="main-missing",
                where={"branch": MAIN},
                hint=f"push your work to {MAIN} first",
            )
        return found

    def commit(
        self, parent: str | None, changes: Mapping[str, Change], *, message: str, by: str, at: datetime
    ) -> str:
        """Make a commit of the parent's tree with some paths changed; no branch knows it yet."""
        tree = self._tree(parent, nested(changes))
        return (
            self.run(
                "commit-tree",
                tree or self.run("mktree", stdin=b"").decode().strip(),
                *(["-p", parent] if parent else []),
                stdin=message.encode(),
                env=signature(by, at),
            )
            .decode()
            .strip()
        )

    def append(self, branch: str, commit: str, *, expected: str | None) -> None:
        """
        Make `commit` the tip of a branch, provided that its tip still is `expected`.

        Raises:
            TryAgainError: Somebody was first (code `branch-moved`, naming them), or the remote is away.
            RefusedError: Another branch makes this one's name impossible (code `branch-in-the-way`).
            NotAuthorisedError: The remote does not let us write (code `remote-denied`).
        """
        if self.has_remote:
            self._push(branch, commit, expected)
        else:
            self._update(branch, commit, expected)

    def add(self, branch: str, changes: Mapping[str, Change], *, message: str, by: str, at: datetime) -> str:
        """
        Append files to a branch whose entries do not depend on each other: over other people's commits it goes on.

        Returns:
            The commit that holds them.

        Raises:
            TryAgainError: As `append`; others append all the time (code `branch-moved`).
        """
        self.refresh()
        for attempt in range(1, _ATTEMPTS + 1):
            head = self.head(branch)
            commit = self.commit(head, changes, message=message, by=by, at=at)
            try:
                self.append(branch, commit, expected=head)
            except TryAgainError as error:
                if error.code != "branch-moved" or attempt == _ATTEMPTS:
                    raise
            else:
                break
        return commit

    def _push(self, branch: str, commit: str, expected: str | None) -> None:
        ref = f"refs/heads/{branch}"
        told = ""
        for _ in range(_ATTEMPTS):
            status, out, err = self.attempt(
                "push",
                "--porcelain",
                "--no-verify",
                f"--force-with-lease={ref}:{expected or ''}",
                ORIGIN,
                f"{commit}:{ref}",
                timeout_s=NETWORK_S,
            )
            if status == 0:
                # git follows by itself only where the configured refspec covers the branch.
                self.attempt("update-ref", self._ref(branch), commit)
                return
            told = f"{out.decode('utf-8', 'replace')}\n{err}"
            if DENIED.search(told):
                break
            self.refresh()
            self._refuse_blocked(branch)
            if self.head(branch) != expected:
                raise self._lost(branch, expected)
            # The remote is just writing somebody else's commit, or let go of its lock a moment ago.
            if "lock" not in told and "failed to update ref" not in told:
                break
        raise remote_trouble(told)

    def _update(self, branch: str, commit: str, expected: str | None) -> None:
        err = ""
        for _ in range(_ATTEMPTS):
            status, _, err = self.attempt(
                "update-ref", "--create-reflog", f"refs/heads/{branch}", commit, expected or _NOTHING
            )
            if status == 0:
                return
            self._refuse_blocked(branch)
            if self.head(branch) != expected:
                raise self._lost(branch, expected)
        raise TryAgainError(
            f"branch {branch} could not be written: {first_line(err)}",
            code="branch-locked",
            where={"branch": branch},
            hint="another git process is at work; if none is, remove the lock file that the message names",
        )

    def _lost(self, branch: str, expected: str | None) -> TryAgainError:
        head = self.head(branch)
        new = self.log(head, excluding=expected) if head else ()
        first = f"{new[0].author} was first with: {new[0].subject}" if new else "it was rewritten or removed"
        return TryAgainError(
            f"branch {branch} moved meanwhile; {first}",
            code="branch-moved",
            where={"branch": branch},
            hint="look at what happened, then run the command again",
        )

    def _refuse_blocked(self, branch: str) -> None:
        parts = branch.split("/")
        shorter = ["/".join(parts[:n]) for n in range(1, len(parts))]
        longer = self.branches(branch)[:1]
        for name in (*(s for s in shorter if self.resolve(self._ref(s))), *longer):
            raise RefusedError(
                f"a branch named {name} is in the way of {branch}",
                code="branch-in-the-way",
                where={"branch": name},
                hint=f"rename it: git branch -m {name} {name.replace('/', '-')}-work"
                + (f", and remove it from {ORIGIN}" if self.has_remote else ""),
            )

    def _ref(self, branch: str) -> str:
        return f"refs/remotes/{ORIGIN}/{branch}" if self.has_remote else f"refs/heads/{branch}"

    # -- objects -----------------------------------------------------------------------------------

    def _tree(self, base: str | None, changes: Mapping[str, Any]) -> str | None:
        """Write the tree that `base` becomes; None when nothing is left in it."""
        lines = {e.path: e for e in self.entries(base)} if base else {}
        for name, change in changes.items():
            old = lines.pop(name, None)
            if isinstance(change, bytes):
                lines[name] = Entry("100644", "blob", self._blob(change), name)
            elif isinstance(change, Tree):
                lines[name] = Entry("040000", "tree", change.id, name)
            elif change is not None:
                tree = self._tree(old.id if old and old.kind == "tree" else None, change)
                if tree:
                    lines[name] = Entry("040000", "tree", tree, name)
        if not lines:
            return None
        listing = "".join(f"{e.mode} {e.kind} {e.id}\t{e.path}\0" for e in lines.values())
        return self.run("mktree", "-z", stdin=listing.encode("utf-8", "surrogateescape")).decode().strip()

    def _blob(self, content: bytes) -> str:
        return self.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def _blobs(self, ids: Sequence[str]) -> Iterator[bytes]:
        if not ids:
            return
        out = self.run("cat-file", "--batch", stdin="".join(f"{i}\n" for i in ids).encode())
        at = 0
        for _ in ids:
            end = out.index(b"\n", at)
            size = int(out[at:end].rsplit(b" ", 1)[1])
            yield out[end + 1 : end + 1 + size]
            at = end + size + 2

    # -- processes ---------------------------------------------------------------------------------

    def attempt(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        work_tree: bool = False,
    ) -> tuple[int, bytes, str]:
        place = [] if work_tree else [f"--git-dir={self._git_dir}"]
        return _execute(self.root, [*place, *args], stdin=stdin, env=env, timeout_s=timeout_s)

    def run(self, *args: str, **how: Any) -> bytes:
        status, out, err = self.attempt(*args, **how)
        if status:
            verb = next((a for a in args if a.isalpha() or "-" in a[1:]), args[0])
            raise UsageError(
                f"git {verb} failed: {first_line(err)}",
                code="git-failed",
                where={"repository": str(self.root)},
                hint="see whether git fsck finds something wrong with the repository",
            )
        return out


def run(directory: Path, *args: str) -> str:
    """
    What a person would type in a directory, working copy and index included; for scratch copies only.

    Raises:
        TaglineError: git refused (code `git-failed`).
    """
    status, out, err = _execute(directory, args)
    if status:
        raise TaglineError(
            f"git {args[0]} failed in {directory}: {first_line(err)}",
            code="git-failed",
            hint="look at the folder with git status",
        )
    return out.decode("utf-8", "replace").strip()


def _execute(
    directory: Path,
    args: Sequence[str],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> tuple[int, bytes, str]:
    """Run git to its end: exit code, standard output, standard error."""
    with tempfile.TemporaryFile() as given:
        if stdin is not None:
            given.write(stdin)
            given.seek(0)
        status, out, err = Git(directory).execute(
            ["git", *args],
            # An empty file, too, so that no call ever waits for a terminal.
            istream=given,
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=timeout_s,
            env={"GIT_TERMINAL_PROMPT": "0", **(env or {})},
        )
    return status, out, err
