"""Where commands that touch the disk stand: at the top of the repository."""

from __future__ import annotations

import os
from pathlib import Path

from tagline.alm.git import Repository


def at_top() -> Repository:
    """
    The repository around the working directory, with its top as the process's directory from here on.

    Relative paths of a configuration (state, certificates, `file:` secrets) are relative to the repository, wherever in it a
    command is typed, and worker processes inherit the directory.
    """
    repo = Repository.open(Path.cwd())
    os.chdir(repo.root)
    return repo
