"""A solution on its way into an organisation, and what the check-up says before and after."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from tagline.connectors import connect
from tagline.connectors.budgets import governor_for
from tagline.connectors.dataverse import importing
from tagline.connectors.dataverse.opening import open_session
from tagline.connectors.dataverse.session import Session
from tagline.domain.checkup import Needs, State
from tagline.domain.environment import DataverseConnection, Identity
from tagline.errors import RefusedError, TryAgainError

USER = "11111111-1111-4111-8111-111111111111"
JOB, OPERATION = "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"
CONFIG = DataverseConnection(
    system="dataverse",
    url="https://org.test",
    tenant="tenant",
    client_id="runtime",
    client_secret="env:RUN",
    authority="https://login.test",
    deploy=Identity(client_id="deployer", client_secret="env:DEPLOY"),
)


class Organisation:
    """Answers as an organisation does while a solution is imported."""

    def __init__(self, sign_in) -> None:
        self.sign_in = sign_in
        self.signed_in: list[str] = []
        self.solutions: dict[str, tuple[str, bool]] = {}
        self.uploaded: list[bytes] = []
        self.polls = 2
        self.hides_solutions = False
        self.ends_with = 30
        self.staged: dict[str, Any] = {"StageSolutionStatus": "Passed", "StageSolutionUploadId": JOB}
        self.privileges: list[str] | None = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.path)
        if request.url.host == "login.test":
            if request.method == "POST":
                self.signed_in.append(request.read().decode())
            return self.sign_in(request)
        if path.endswith("/WhoAmI"):
            return httpx.Response(200, json={"UserId": USER})
        if path.endswith("/StageSolution"):
            self.uploaded.append(base64.b64decode(json.loads(request.read())["CustomizationFile"]))
            return httpx.Response(200, json={"StageSolutionResults": self.staged})
        if path.endswith("/ImportSolutionAsync"):
            assert json.loads(request.read())["SolutionParameters"] == {"StageSolutionUploadId": JOB}
            return httpx.Response(200, json={"ImportJobKey": JOB, "AsyncOperationId": OPERATION})
        if "/asyncoperations(" in path:
            self.polls -= 1
            state = (3, self.ends_with) if self.polls < 0 else (0, 0)
            return httpx.Response(200, json={"statecode": state[0], "statuscode": state[1]})
        if "RetrieveSolutionImportResult" in path:
            told = (
                {"Status": "Passed"}
                if self.ends_with == 30
                else {"Status": "Failed", "ErrorMessages": ["no room"]}
            )
            return httpx.Response(200, json={"SolutionOperationResult": told})
        if path.endswith("/solutions") and self.hides_solutions:
            return httpx.Response(403, json={"error": {"code": "0x80040220", "message": "no"}})
        if path.endswith("/solutions"):
            rows = [
                {"uniquename": n, "version": v, "ismanaged": m}
                for n, (v, m) in self.solutions.items()
                if f"'{n}'" in unquote(str(request.url.query))
            ]
            return httpx.Response(200, json={"value": rows})
        if "RetrieveUserPrivileges" in path and self.privileges is not None:
            held = [{"PrivilegeName": name, "Depth": "Global"} for name in self.privileges]
            return httpx.Response(200, json={"RolePrivileges": held})
        return httpx.Response(404, json={"error": {"code": "0x8006088a", "message": "no segment"}})


@pytest.fixture
def organisation(sign_in) -> Organisation:
    return Organisation(sign_in)


@pytest.fixture
def session(organisation, clock) -> Iterator[Session]:
    opened = open_session(
        "crm",
        CONFIG,
        clock=clock,
        secrets=lambda reference: reference,
        governor=governor_for(CONFIG, clock),
        identity=CONFIG.deploy,
        transport=httpx.MockTransport(organisation),
    )
    with closing(opened):
        yield opened


def test_an_import_is_staged_started_and_waited_for_on_the_clock(organisation, session, clock):
    steps: list[str] = []
    before = clock.now()
    importing.import_solution(session, b"the zip", steps.append)
    assert organisation.uploaded == [b"the zip"]
    assert steps == ["staged", "importing"]
    assert (clock.now() - before).total_seconds() >= 2 * importing.POLL_S


def test_it_signs_in_as_the_application_that_sets_up(organisation, session):
    importing.installed(session, "any")
    assert "client_id=deployer" in organisation.signed_in[0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {
                "staged": {
                    "StageSolutionStatus": "Failed",
                    "SolutionValidationResults": [{"Message": "bad column"}],
                }
            },
            "bad column",
        ),
        ({"staged": {"StageSolutionStatus": "Passed", "MissingDependencies": [{}, {}]}}, "2 things"),
        ({"ends_with": 31}, "no room"),
    ],
)
def test_what_the_organisation_finds_fault_with_is_told(organisation, session, change, named):
    for name, value in change.items():
        setattr(organisation, name, value)
    with pytest.raises(RefusedError) as caught:
        importing.import_solution(session, b"zip", lambda _: None)
    assert caught.value.code == "solution-refused"
    assert named in caught.value.message


def test_an_import_that_never_ends_is_left_to_be_looked_at(organisation, session):
    organisation.polls = 100_000
    with pytest.raises(TryAgainError) as caught:
        importing.import_solution(session, b"zip", lambda _: None)
    assert caught.value.code == "solution-unfinished"


def _checked(organisation, clock) -> dict[str, State]:
    client = connect(
        "crm",
        CONFIG,
        clock=clock,
        secrets=lambda reference: reference,
        transport=httpx.MockTransport(organisation),
        read_only=True,
    )
    needs = Needs(
        privileges={"prvReadAccount": 3, "prvWriteOrder": 0}, solution=("tagline_crates", "1.2.0.0")
    )
    with closing(client):
        return {check.subject: check.state for check in client.check_up(needs)}


@pytest.mark.parametrize(
    ("privileges", "state"),
    [
        (["prvReadAccount", "prvWriteOrder", "prvReadContact"], State.GOOD),
        (["prvReadAccount"], State.FAILED),
        ([], State.FAILED),
        (None, State.UNKNOWN),
    ],
)
def test_missing_privileges_fail_and_unreadable_ones_are_unknown(organisation, clock, privileges, state):
    organisation.privileges = privileges
    assert _checked(organisation, clock)["crm rights"] is state


@pytest.mark.parametrize(
    ("standing", "state"),
    [(None, State.FAILED), ("1.1.9.9", State.FAILED), ("1.2.0.0", State.GOOD), ("1.10.0.0", State.GOOD)],
)
def test_the_solution_must_stand_there_in_the_version_or_a_later_one(organisation, clock, standing, state):
    if standing:
        organisation.solutions["tagline_crates"] = (standing, True)
    assert _checked(organisation, clock)["crm solution"] is state


def test_a_role_that_may_not_read_solutions_leaves_that_unknown_and_the_rest_standing(organisation, clock):
    organisation.hides_solutions = True
    organisation.privileges = ["prvReadAccount", "prvWriteOrder"]
    found = _checked(organisation, clock)
    assert (found["crm solution"], found["crm rights"]) == (State.UNKNOWN, State.GOOD)
