"""Where commands that touch the disk stand: at the top of the repository."""

from __future__ import annotations

import os
from pathlib import Path

from tagline.alm.git import MAIN, Repository
from tagline.cli.output import say


def at_top() -> Repository:
    """
    The repository around the working directory, with its top as the process's directory from here on.

    Relative paths of a configuration (state, certificates, `file:` secrets) are relative to the repository, wherever in it a
    command is typed, and worker processes inherit the directory.
    """
    repo = Repository.open(Path.cwd())
    os.chdir(repo.root)
    return repo


def say_unpushed(repo: Repository) -> None:
    """Say so where main here holds commits that the remote's does not: configuration is read from there, as of the last refresh."""
    here = repo.resolve(f"refs/heads/{MAIN}") if repo.has_remote else None
    if here is not None and not repo.is_ancestor(here, repo.main()):
        say(
            f"{MAIN} here is ahead of origin/{MAIN}, where the configuration is read from: what is not pushed is not seen"
        )
