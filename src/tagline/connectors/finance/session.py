"""Requests to one environment of Finance, in its dialect of OData."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.dispositions import FINANCE
from tagline.connectors.finance.infolog import error_of
from tagline.connectors.finance.wire import ROOT
from tagline.connectors.odata import session
from tagline.connectors.odata.batch import PartAnswer


def is_absent(answer: PartAnswer) -> bool:
    """Whether Finance itself says that there is no such row: no proxy, and not of an entity that it does not have."""
    clue, text = error_of(answer)
    return answer.status == 404 and not clue and bool(text)


class Session(session.Session):
    """One environment behind one connection."""

    dialect: ClassVar[session.Dialect] = session.Dialect(FINANCE, ROOT, error_of, is_absent, may_stop=True)
