"""Requests to one organisation, in Dataverse's dialect of OData."""

from __future__ import annotations

from typing import ClassVar, Final

from tagline.connectors.dataverse.wire import LOOKUP_ANNOTATION, ROOT
from tagline.connectors.dataverse.writes import error_of
from tagline.connectors.dispositions import DATAVERSE
from tagline.connectors.odata import session
from tagline.connectors.odata.batch import PartAnswer

ANNOTATIONS: Final = f'odata.include-annotations="{LOOKUP_ANNOTATION}"'


def is_absent(answer: PartAnswer) -> bool:
    """Whether it says that there is no such row."""
    return answer.status == 404 and error_of(answer)[0] in ("0x80060891", "0x80040217")


class Session(session.Session):
    """One organisation behind one connection."""

    dialect: ClassVar[session.Dialect] = session.Dialect(DATAVERSE, ROOT, error_of, is_absent, ANNOTATIONS)
