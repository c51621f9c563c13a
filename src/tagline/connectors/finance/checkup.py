"""Whether an environment is ready: sign-in, the legal entity, the rights to each entity; reads only."""

from __future__ import annotations

from collections.abc import Iterator

from tagline.connectors.finance.entities import entity_of
from tagline.connectors.finance.events import EVENTS
from tagline.connectors.finance.session import Session
from tagline.connectors.finance.wire import CROSS, ROOT, of_company, select
from tagline.domain.checkup import Check, Needs, State
from tagline.domain.model import Model


def knows_company(session: Session, company: str) -> bool:
    """Whether there is such a legal entity and the application's user may see it."""
    filtered = f"$filter=LegalEntityId%20eq%20'{company}'"
    url = f"{ROOT}/LegalEntities?{CROSS}&{filtered}&$select=LegalEntityId&$top=1"
    return any(session.rows(url, "reading legal entities"))


def check_up(session: Session, company: str, needs: Needs) -> Iterator[Check]:
    """
    The checks, one after the other.

    Raises:
        TaglineError: The environment cannot be asked, sign-in included.
    """
    known = knows_company(session, company)
    yield Check(f"{session.name} sign-in", State.GOOD, "Finance knows the application")
    if known:
        yield Check(f"{session.name} company", State.GOOD, f"legal entity {company}")
    else:
        yield Check(
            f"{session.name} company",
            State.FAILED,
            f"there is no legal entity {company}, or the application's user may not see it",
            "correct the connection's company, or give the user's roles access to it",
        )
    yield from _entities(session, company, needs)
    if needs.events:
        yield _events(session, needs)


def _entities(session: Session, company: str, needs: Needs) -> Iterator[Check]:
    """Whether the environment has every entity that the flows touch, and the application may read it."""
    found = {model.remote.collection: _status(session, company, model) for model in needs.tables}
    missing = [name for name, status in found.items() if status == 404]
    closed = [name for name, status in found.items() if status == 403]
    if missing:
        yield Check(
            f"{session.name} entities",
            State.FAILED,
            f"the environment has no {', '.join(missing)}",
            "see under /data what it calls them; a model with other names needs another release of tagline",
        )
    if closed:
        yield Check(
            f"{session.name} rights",
            State.FAILED,
            f"the application may not read {', '.join(closed)}",
            "give the user that the application acts as, in Finance under Microsoft Entra applications, a role with these data entities",
        )
    elif needs.tables:
        yield Check(
            f"{session.name} rights",
            State.GOOD,
            f"{len(needs.tables) - len(missing)} entities that the flows touch can be read; writing is not tried",
        )


def _status(session: Session, company: str, model: type[Model]) -> int:
    """Of a read of one row, where it says something of the entity as a whole."""
    entity = entity_of(model)
    query = "&".join(filter(None, (CROSS, of_company(entity, company), select(entity, ()), "$top=1")))
    answer = session.send("GET", f"{ROOT}/{model.remote.collection}?{query}")
    if answer.status not in (403, 404):
        session.judge(answer, f"reading {model.remote.collection}")
    return answer.status


def _events(session: Session, needs: Needs) -> Check:
    named = ", ".join(f"{EVENTS[e].id} at {needs.webhooks}/{e}/…" for e in needs.events if e in EVENTS)
    return Check(
        f"{session.name} business events",
        State.UNKNOWN,
        "whether business events are active cannot be seen from outside",
        f"have an administrator activate {named}; until then the sweep finds what changed",
    )
