"""Changes of the state database's schema, oldest first; run when it is opened."""

from typing import Final

REVISIONS: Final = ("0001", "0002", "0003")
"""Every revision, oldest first; a test holds the list to the files."""
HEAD: Final = REVISIONS[-1]
