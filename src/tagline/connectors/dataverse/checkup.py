"""Whether an organisation is ready: the application's rights, the solution, the registered webhooks; reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tagline.connectors.dataverse.excess import excess
from tagline.connectors.dataverse.importing import installed, numbers
from tagline.connectors.dataverse.rights import Depth
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.webhooks import standing_below
from tagline.connectors.dataverse.wire import ROOT, is_guid
from tagline.domain.checkup import Check, Needs, State, webhook_check
from tagline.errors import NotAuthorisedError, RecordError


def check_up(session: Session, needs: Needs, token: str) -> Iterator[Check]:
    """
    The checks, one after the other.

    Args:
        token: Last segment of the addresses that webhooks are registered with; empty where the connection has none, and
            then nothing is said of them.

    Raises:
        TaglineError: The organisation cannot be asked, sign-in included.
    """
    user = session.get(f"{ROOT}/WhoAmI", "asking who we are").get("UserId")
    yield Check(f"{session.name} sign-in", State.GOOD, f"known as application user {user}")
    if needs.privileges:
        yield from _rights(session, user, needs)
    if needs.solution:
        yield _solution(session, *needs.solution, needs.set_up)
    if needs.events and token:
        yield _webhooks(session, needs, token)


def _rights(session: Session, user: Any, needs: Needs) -> Iterator[Check]:
    """
    Whether the application holds what the flows need, and whether it holds far more.

    Source: the Web API's function RetrieveUserPrivileges; it counts the user's roles and those of its teams.
    """
    subject = f"{session.name} rights"
    if not isinstance(user, str) or not is_guid(user):
        session.malformed("asking who we are: UserId is no id")
    target = f"{ROOT}/systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    answer = session.send("GET", target)
    if answer.status in (403, 404):
        yield Check(
            subject,
            State.UNKNOWN,
            f"the organisation answered {answer.status} to reading our own privileges",
            "compare the application user's roles by hand with what `tagline solution export` prints",
        )
        return
    doing = "reading our privileges"
    session.judge(answer, doing)
    told = session.object_of(answer.json({"connection": session.name}), doing)
    reach: dict[str, int] = {}
    for raw in told.get("RolePrivileges", ()):
        if isinstance(raw, dict) and isinstance(name := raw.get("PrivilegeName"), str):
            # Several roles may hold it; the widest counts.
            reach[name] = max(reach.get(name, 0), _rank(raw.get("Depth")))
    yield _enough(subject, reach, needs.privileges)
    if beyond := excess(reach, needs.privileges):
        name = needs.solution[0] if needs.solution else ""
        yield Check(
            f"{session.name} least privilege",
            State.WARNING,
            f"the running application also holds {beyond}",
            f"leave its application user the role that `{needs.set_up}` brings"
            + (f" with the solution {name}" if name else "")
            + ", and take its other roles away; setting up is the deploy application's",
        )


def _enough(subject: str, reach: Mapping[str, int], wanted: Mapping[str, int]) -> Check:
    missing = [name for name in wanted if name not in reach]
    narrow = [name for name, least in wanted.items() if reach.get(name, least) < least]
    if missing or narrow:
        found = [
            f"{len(names)} of {len(wanted)} privileges {what}: {', '.join(names)}"
            for names, what in ((missing, "are missing"), (narrow, "reach too few rows"))
            if names
        ]
        return Check(
            subject,
            State.FAILED,
            "; ".join(found),
            "import the solution and give the application user its role, or widen the role it has",
        )
    return Check(subject, State.GOOD, f"all {len(wanted)} privileges that the flows need")


def _solution(session: Session, name: str, least: str, set_up: str) -> Check:
    subject = f"{session.name} solution"
    try:
        standing = installed(session, name)
    except (NotAuthorisedError, RecordError):
        return Check(
            subject,
            State.UNKNOWN,
            "the running application may not read solutions",
            "look in the maker portal whether it is installed, or let the application read solutions",
        )
    if standing is None:
        return Check(
            subject,
            State.FAILED,
            f"{name} is not installed",
            f"run `{set_up}`",
        )
    if numbers(standing.version) < numbers(least):
        return Check(
            subject,
            State.FAILED,
            f"{name} {standing.version} is installed, {least} is needed",
            f"run `{set_up}`",
        )
    kind = "managed" if standing.is_managed else "unmanaged"
    return Check(subject, State.GOOD, f"{name} {standing.version}, {kind}")


def _webhooks(session: Session, needs: Needs, token: str) -> Check:
    try:
        standing = standing_below(session, needs.webhooks, token)
    except (NotAuthorisedError, RecordError):
        return Check(
            f"{session.name} webhooks",
            State.UNKNOWN,
            "the running application may not see which are registered",
            "give it the role of the solution, which lets it look",
        )
    return webhook_check(session.name, needs, standing, f"run `{needs.set_up}`")


def _rank(depth: Any) -> int:
    """How far a privilege reaches; a depth that nobody knows is no reason to warn."""
    try:
        return Depth(depth).rank
    except ValueError:
        return Depth.ORGANISATION.rank
