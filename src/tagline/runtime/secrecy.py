"""The secrets that a process of an environment knows, so that nothing it says holds one of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from tagline.domain.environment import EnvironmentConfig
from tagline.domain.redaction import Redactor
from tagline.errors import UsageError
from tagline.runtime.places import URL_VARIABLE

_REFERENCE: Final = re.compile("(?:env|file):.+")
LINE: Final = 20
"""Characters of a line of a secret, or of a part of an address, that is a secret by itself."""


def redactor_of(config: EnvironmentConfig, secret: Callable[[str], str]) -> Redactor:
    """
    What masks every secret that a configuration refers to and that stands on this machine now.

    Args:
        secret: Resolves a reference.
    """
    return Redactor(set(_secrets(config, secret)))


def _secrets(config: EnvironmentConfig, secret: Callable[[str], str]) -> Iterator[str]:
    for reference in set(_references(config.model_dump(mode="json"))):
        try:
            value = secret(reference)
        except UsageError:
            continue  # whoever needs it says that it is missing
        yield from _parts(value)
    yield from _parts(os.environ.get(URL_VARIABLE, ""))


def _parts(value: str) -> Iterator[str]:
    """A secret, its lines, and of an address also what stands in it: messages show parts of it alone."""
    yield value
    for line in value.splitlines():
        if len(line.strip()) >= LINE:
            yield line.strip()
    if "://" in value:
        try:
            address = urlsplit(value)
        except ValueError:
            return
        yield from (part for part in (address.password, address.query) if part)
        if len(address.path) >= LINE:
            yield address.path
        yield from (part for part in address.path.split("/") if len(part) >= LINE)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, str) and _REFERENCE.fullmatch(value):
        yield value
