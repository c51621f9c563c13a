import logging
import threading

import httpx
import pytest

from tagline.errors import NotAuthorisedError, RefusedError, TryAgainError

WHO = {"UserId": "u-1", "BusinessUnitId": "b", "OrganizationId": "o"}


def refusal(error, number, status=401):
    return httpx.Response(
        status,
        json={
            "error": error,
            "error_description": f"AADSTS{number}: canary-secret",
            "error_codes": [number],
            "correlation_id": "c",
        },
    )


def login_answering(token_answer, sign_in):
    def login(request):
        return sign_in(request) if request.method == "GET" else token_answer

    return login


def test_one_token_serves_all_calls_and_threads(make_dataverse):
    tokens = []

    def organisation(request):
        tokens.append(request.headers["authorization"])
        return httpx.Response(200, json=WHO)

    client = make_dataverse(organisation)
    threads = [threading.Thread(target=client.probe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens == ["Bearer canary-access-1"] * 8


def test_a_refused_token_is_renewed_once(make_dataverse):
    tokens = []

    def organisation(request):
        tokens.append(request.headers["authorization"])
        return httpx.Response(401 if len(tokens) == 1 else 200, json=WHO)

    assert "u-1" in make_dataverse(organisation).probe()
    assert tokens == ["Bearer canary-access-1", "Bearer canary-access-2"]


def test_a_token_refused_twice_stops(make_dataverse):
    with pytest.raises(NotAuthorisedError) as caught:
        make_dataverse(lambda r: httpx.Response(401)).probe()
    assert caught.value.code == "not-signed-in"


def test_the_sign_in_asks_for_the_organisation_by_client_secret(make_dataverse, sign_in):
    forms = []

    def login(request):
        if request.method == "POST":
            forms.append(dict(httpx.QueryParams(request.content.decode())))
        return sign_in(request)

    make_dataverse(lambda r: httpx.Response(200, json=WHO), login=login).probe()
    [form] = forms
    assert (
        form["grant_type"],
        form["client_id"],
        form["client_secret"],
        form["scope"],
    ) == ("client_credentials", "client", "canary-secret", "https://org.test/.default")


@pytest.mark.parametrize(
    ("error", "number", "status", "hint"),
    [
        ("invalid_client", 7000215, 401, "secret is wrong"),
        ("invalid_client", 7000222, 401, "expired"),
        ("unauthorized_client", 700016, 400, "not in this tenant"),
        ("invalid_request", 90002, 400, "tenant does not exist"),
        ("invalid_scope", 70011, 400, "scope"),
        ("invalid_resource", 500011, 400, "organisation"),
        ("invalid_client", 1, 401, "check tenant"),
    ],
)
def test_a_refused_sign_in_tells_its_number_and_what_to_do(
    make_dataverse, sign_in, caplog, *, error, number, status, hint
):
    caplog.set_level(logging.DEBUG)
    login = login_answering(refusal(error, number, status), sign_in)
    with pytest.raises(NotAuthorisedError) as caught:
        make_dataverse(lambda r: pytest.fail("sent"), login=login).probe()
    shown = caught.value
    assert shown.code == "sign-in-failed"
    assert f"AADSTS{number}" in shown.message
    assert hint in shown.hint
    assert "canary" not in f"{shown} {shown.where} {shown.hint}{caplog.text}"


def test_an_unknown_tenant_is_told(make_dataverse):
    with pytest.raises(NotAuthorisedError) as caught:
        make_dataverse(
            lambda r: pytest.fail("sent"), login=lambda r: httpx.Response(400, json={"error": "x"})
        ).probe()
    assert caught.value.code == "sign-in-failed"


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(503), httpx.Response(500), httpx.Response(429), httpx.Response(200, content=b"<canary>")],
    ids=["503", "500", "429", "html"],
)
def test_a_login_service_that_is_away_is_tried_again(make_dataverse, caplog, answer):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(TryAgainError) as caught:
        make_dataverse(lambda r: pytest.fail("sent"), login=lambda r: answer).probe()
    assert caught.value.code == "sign-in-unavailable"
    assert "canary" not in str(caught.value) + caplog.text


def test_a_login_service_that_points_elsewhere_gets_no_secret(make_dataverse):
    def login(request):
        return httpx.Response(
            200,
            json={
                "token_endpoint": "https://evil.test/token",
                "authorization_endpoint": "https://evil.test/authorize",
                "issuer": "x",
            },
        )

    with pytest.raises(RefusedError) as caught:
        make_dataverse(lambda r: pytest.fail("sent"), login=login).probe()
    assert caught.value.code == "host-refused"


def test_no_token_is_logged(make_dataverse, caplog):
    caplog.set_level(logging.DEBUG)
    make_dataverse(lambda r: httpx.Response(200, json=WHO)).probe()
    assert "canary" not in caplog.text


def test_signing_in_is_no_write(make_dataverse):
    assert make_dataverse(lambda r: httpx.Response(200, json=WHO), read_only=True).probe()
