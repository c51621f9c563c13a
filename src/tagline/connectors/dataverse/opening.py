"""A session with an organisation, from its configuration."""

from __future__ import annotations

from functools import partial

from tagline.connectors.dataverse.session import Session
from tagline.connectors.odata import opening

open_session = partial(opening.open_session, Session)
