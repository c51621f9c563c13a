"""The token endpoint: client credentials with the errors a real tenant gives."""

import pytest


@pytest.fixture
def ask(sandbox, client):
    configs = sandbox.connection_configs("dev")
    crm = configs["crm"]
    secret = configs["secrets"][crm["client_secret"].removeprefix("env:")]
    good = {
        "client_id": crm["client_id"],
        "client_secret": secret,
        "grant_type": "client_credentials",
        "scope": f"{crm['url']}/.default",
    }

    def ask(tenant=crm["tenant"], **changes):
        return client.post(f"{crm['authority']}/{tenant}/oauth2/v2.0/token", data={**good, **changes})

    return ask


def test_a_token_opens_its_own_organisation_until_it_expires(make_sandbox, clock, connect_crm):
    import httpx

    sandbox = make_sandbox(clock, environments=("dev", "qa"))
    with httpx.Client(transport=sandbox.transport()) as client:
        crm = connect_crm(sandbox, client)
        assert crm.call("GET", "WhoAmI").status_code == 200
        assert crm.call("GET", crm.base.replace("org-dev", "org-qa") + "WhoAmI").status_code == 401
        clock.advance(3600)
        assert crm.call("GET", "WhoAmI").status_code == 401


@pytest.mark.parametrize(
    ("changes", "status", "error", "number"),
    [
        ({"client_secret": "x"}, 401, "invalid_client", 7000215),
        ({"client_id": "x"}, 400, "unauthorized_client", 700016),
        ({"tenant": "x"}, 400, "invalid_request", 90002),
        ({"scope": "https://org-dev.sandbox.test"}, 400, "invalid_scope", 70011),
        ({"scope": "https://elsewhere.test/.default"}, 400, "invalid_resource", 500011),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_by_number(ask, changes, status, error, number):
    answer = ask(**changes)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_codes"] == [number]
    assert f"AADSTS{number}" in answer.json()["error_description"]


def test_discovery_names_the_endpoints(sandbox, client):
    tenant = sandbox.login.tenant
    base = f"https://login.sandbox.test/{tenant}"
    facts = client.get(f"{base}/v2.0/.well-known/openid-configuration").json()
    assert facts["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    assert facts["authorization_endpoint"].startswith(base)
