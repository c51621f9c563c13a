"""Whether an organisation is ready: the application's rights, the solution, the registered webhooks; reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tagline.connectors.dataverse.importing import installed
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.webhooks import standing_below
from tagline.connectors.dataverse.wire import ROOT, is_guid
from tagline.domain.checkup import Check, Needs, State, webhook_check
from tagline.errors import NotAuthorisedError, RecordError


def check_up(session: Session, needs: Needs, token: str) -> Iterator[Check]:
    """
    The checks, one after the other.

    Args:
        token: Last segment of the addresses that webhooks are registered with; empty where the connection has none.

    Raises:
        TaglineError: The organisation cannot be asked, sign-in included.
    """
    user = session.get(f"{ROOT}/WhoAmI", "asking who we are").get("UserId")
    yield Check(f"{session.name} sign-in", State.GOOD, f"known as application user {user}")
    if needs.privileges:
        yield _rights(session, user, needs.privileges)
    if needs.solution:
        yield _solution(session, *needs.solution)
    if needs.events:
        yield _webhooks(session, needs, token)


def _rights(session: Session, user: Any, wanted: tuple[str, ...]) -> Check:
    """Source: the Web API's function RetrieveUserPrivileges; it counts the user's roles and those of its teams."""
    subject = f"{session.name} rights"
    if not isinstance(user, str) or not is_guid(user):
        session.malformed("asking who we are: UserId is no id")
    target = f"{ROOT}/systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    answer = session.send("GET", target)
    if answer.status in (403, 404):
        return Check(
            subject,
            State.UNKNOWN,
            f"the organisation answered {answer.status} to reading our own privileges",
            "compare the application user's roles by hand with what `tagline solution export` prints",
        )
    doing = "reading our privileges"
    session.judge(answer, doing)
    told = session.object_of(answer.json({"connection": session.name}), doing)
    held = {p.get("PrivilegeName") for p in told.get("RolePrivileges", ()) if isinstance(p, dict)}
    missing = [name for name in wanted if name not in held]
    if missing:
        return Check(
            subject,
            State.FAILED,
            f"{len(missing)} of {len(wanted)} privileges are missing: {', '.join(missing)}",
            "import the solution and give the application user its role, or add them to the role it has",
        )
    return Check(subject, State.GOOD, f"all {len(wanted)} privileges that the flows need")


def _solution(session: Session, name: str, least: str) -> Check:
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
            "run `tagline solution import INTEGRATION --env NAME`",
        )
    if _numbers(standing.version) < _numbers(least):
        return Check(
            subject,
            State.FAILED,
            f"{name} {standing.version} is installed, {least} is needed",
            "run `tagline solution import INTEGRATION --env NAME`",
        )
    kind = "managed" if standing.is_managed else "unmanaged"
    return Check(subject, State.GOOD, f"{name} {standing.version}, {kind}")


def _webhooks(session: Session, needs: Needs, token: str) -> Check:
    if not token:
        return Check(
            f"{session.name} webhooks",
            State.FAILED,
            "the connection has no webhook_token, so that none can be registered",
            "give the connection a webhook_token, a reference to 16 or more letters and digits",
        )
    return webhook_check(session.name, needs, standing_below(session, needs.webhooks, token))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
