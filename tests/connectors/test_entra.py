import base64
import json
import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tagline.connectors import connect
from tagline.connectors.entra import Tokens
from tagline.domain.environment import DataverseConnection, FinanceConnection, Identity
from tagline.errors import NotAuthorisedError, RefusedError, TaglineError, TryAgainError, UsageError

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


def test_a_token_that_many_were_refused_with_is_renewed_for_all_of_them_once(make_dataverse, sign_in):
    """Nobody drops a token that another thread has just renewed."""
    everybody = threading.Barrier(8)
    asked = []

    def organisation(request):
        if request.headers["authorization"] == "Bearer canary-access-1":
            everybody.wait(10)
            return httpx.Response(401)
        return httpx.Response(200, json=WHO)

    def login(request):
        asked.append(request.method)
        return sign_in(request)

    client = make_dataverse(organisation, login=login)
    threads = [threading.Thread(target=client.probe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked.count("POST") == 2


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
        ("invalid_client", 700027, 401, "certificate"),
        ("invalid_client", 700024, 401, "out of date"),
        ("invalid_request", 70021, 400, "federated credential"),
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


def _odd(**changes):
    good = {"token_type": "Bearer", "expires_in": 3599, "access_token": "canary"}
    return httpx.Response(200, json={**good, **changes})


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(httpx.Response(200, json=[]), "sign-in-unavailable", id="list"),
        pytest.param(httpx.Response(200, json="canary"), "sign-in-unavailable", id="text"),
        pytest.param(httpx.Response(400, json=None), "sign-in-unavailable", id="null"),
        pytest.param(httpx.Response(400, json=[]), "sign-in-unavailable", id="refused-with-a-list"),
        pytest.param(_odd(access_token="canary\n"), "sign-in-unavailable", id="token-of-two-lines"),
        pytest.param(_odd(access_token="c\xe4nary"), "sign-in-unavailable", id="token-beyond-ascii"),
        pytest.param(_odd(access_token=5), "sign-in-failed", id="token-that-is-a-number"),
        pytest.param(_odd(access_token=""), "sign-in-failed", id="token-that-is-empty"),
        pytest.param(httpx.Response(200, json={}), "sign-in-failed", id="nothing"),
        pytest.param(httpx.Response(400, json={"error_codes": 5}), "sign-in-failed", id="one-code"),
        pytest.param(
            httpx.Response(400, json={"error_codes": ["x", None]}), "sign-in-failed", id="odd-codes"
        ),
        pytest.param(httpx.Response(400, json={"error": ["canary"]}), "sign-in-failed", id="odd-error"),
    ],
)
def test_a_token_answer_that_is_none_has_a_clear_end(make_dataverse, sign_in, caplog, answer, code):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(TaglineError) as caught:
        make_dataverse(lambda r: pytest.fail("sent"), login=login_answering(answer, sign_in)).probe()
    assert caught.value.code == code
    assert "canary" not in f"{caught.value} {caught.value.where}{caplog.text}"


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"expires_in": "3599"}, id="seconds-as-text"),
        pytest.param({"expires_in": None}, id="no-seconds"),
        pytest.param({"expires_in": [], "refresh_in": {}}, id="odd-seconds"),
        pytest.param({"id_token": "x", "client_info": 5, "scope": 7}, id="members-that-nobody-asked-for"),
    ],
)
def test_what_else_stands_in_a_token_answer_does_not_matter(make_dataverse, sign_in, odd):
    login = login_answering(_odd(**odd), sign_in)
    assert make_dataverse(lambda r: httpx.Response(200, json=WHO), login=login).probe()


@pytest.mark.parametrize(
    "told",
    [[], None, {"token_endpoint": 5, "authorization_endpoint": 5}, {"token_endpoint": "https://["}],
    ids=["list", "null", "numbers", "no-address"],
)
def test_a_tenant_that_describes_itself_oddly_is_told(make_dataverse, told):
    with pytest.raises(TaglineError) as caught:
        make_dataverse(lambda r: pytest.fail("sent"), login=lambda r: httpx.Response(200, json=told)).probe()
    assert caught.value.code in ("sign-in-unavailable", "sign-in-failed")


def test_a_number_that_stands_in_the_text_alone_is_found(make_dataverse, sign_in):
    told = {"error": "invalid_client", "error_description": "AADSTS7000222: canary"}
    with pytest.raises(NotAuthorisedError) as caught:
        make_dataverse(
            lambda r: pytest.fail("sent"), login=login_answering(httpx.Response(401, json=told), sign_in)
        ).probe()
    assert "AADSTS7000222" in caught.value.message
    assert "expired" in caught.value.hint


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


def test_a_login_service_that_is_busy_says_how_long_to_wait(make_dataverse):
    busy = httpx.Response(429, headers={"Retry-After": "300"})
    with pytest.raises(TryAgainError) as caught:
        make_dataverse(lambda r: pytest.fail("sent"), login=lambda r: busy).probe()
    assert caught.value.retry_after_s == 300


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


def _key_and_certificate() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + made.public_bytes(serialization.Encoding.PEM)).decode()


def _forms(sign_in) -> tuple[list[dict[str, list[str]]], Callable[[httpx.Request], httpx.Response]]:
    """The forms that the login service was sent, and a service that answers them."""
    seen: list[dict[str, list[str]]] = []

    def login(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            seen.append(parse_qs(request.read().decode()))
        return sign_in(request)

    return seen, login


def test_a_certificate_signs_in_with_a_signed_assertion_and_its_key_stays_here(clock, sign_in):
    pem = _key_and_certificate()
    seen, login = _forms(sign_in)
    with _client(clock, login, {"certificate": "file:pem"}, {"file:pem": pem}.__getitem__) as client:
        client.probe()
    (form,) = seen
    header, claims, signature = form["client_assertion"][0].split(".")
    told = json.loads(base64.urlsafe_b64decode(header + "=="))
    assert told["alg"] == "PS256"
    assert "x5t#S256" in told
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"] == "client"
    assert signature
    assert "client_secret" not in form


def test_an_assertion_of_another_provider_is_read_anew_at_each_sign_in(clock, sign_in):
    tokens = iter(["first", "second", "third"])
    seen, login = _forms(sign_in)
    refused = iter([401, 200])
    with _client(
        clock, login, {"assertion": "file:token"}, lambda _: next(tokens), lambda _: next(refused)
    ) as client:
        client.probe()
    assert [form["client_assertion"] for form in seen] == [["second"], ["third"]]


@pytest.mark.parametrize("proof", ["client_secret", "certificate"])
def test_a_proof_that_is_renewed_while_the_process_runs_is_taken_up_when_the_old_one_is_refused(
    clock, sign_in, proof
):
    """Nobody has to restart a worker because a secret or certificate was rotated."""
    old, new = (_key_and_certificate(), _key_and_certificate()) if proof == "certificate" else ("old", "new")
    stored, seen = [old], []

    def login(request):
        if request.method == "GET":
            return sign_in(request)
        form = parse_qs(request.read().decode())
        seen.append(form.get("client_secret", form.get("client_assertion")))
        return refusal("invalid_client", 7000222) if len(seen) == 2 else sign_in(request)

    refused = iter([200, 401, 200, 401, 401])
    with _client(clock, login, {proof: "file:proof"}, lambda _: stored[0], lambda _: next(refused)) as client:
        client.probe()
        stored[0] = new
        client.probe()  # the token is refused, then the old proof, then all is well
        assert len(seen) == 3
        if proof == "client_secret":
            assert seen == [["old"], ["old"], ["new"]]
        with pytest.raises(NotAuthorisedError):
            client.probe()  # nothing new stands there: asked once
    assert len(seen) == 4


def test_text_that_is_no_certificate_is_refused_without_showing_it(clock, sign_in):
    with (
        pytest.raises(UsageError) as caught,
        _client(clock, sign_in, {"certificate": "file:pem"}, lambda _: "canary"),
    ):
        pass
    assert caught.value.code == "certificate-unreadable"
    assert "canary" not in f"{caught.value} {caught.value.where} {caught.value.hint}"


def test_clients_that_share_their_tokens_sign_in_once(clock, sign_in):
    tokens = Tokens()
    seen, login = _forms(sign_in)
    clients = [
        _client(clock, login, {"client_secret": "env:S"}, lambda _: "s", tokens=tokens) for _ in range(3)
    ]
    with ExitStack() as stack:
        opened = [stack.enter_context(client) for client in clients]
        threads = [threading.Thread(target=client.probe) for client in opened]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 1


def test_each_system_has_a_token_of_its_own_from_one_application(clock, sign_in):
    """A token that one system refuses is dropped for that one alone."""
    tokens = Tokens()
    seen, login = _forms(sign_in)
    refused = iter([401, 200, 200])
    secret = {"client_secret": "env:S"}
    with (
        _client(clock, login, secret, lambda _: "s", lambda _: next(refused), tokens) as crm,
        _client(clock, login, secret, lambda _: "s", tokens=tokens, system="finance") as erp,
    ):
        for client in (erp, crm, erp, crm):
            client.probe()
    assert [form["scope"] for form in seen] == [
        ["https://fin.test/.default"],
        ["https://org.test/.default"],
        ["https://org.test/.default"],
    ]


def test_flows_never_sign_in_as_the_application_that_sets_up(clock, sign_in):
    seen, login = _forms(sign_in)
    proof = {"client_secret": "env:RUN", "deploy": Identity(client_id="deployer", client_secret="env:DEPLOY")}
    asked = []

    def secret(reference):
        asked.append(reference)
        return "s"

    with _client(clock, login, proof, secret) as client:
        client.probe()
    assert [form["client_id"] for form in seen] == [["client"]]
    assert asked == ["env:RUN"]


@contextmanager
def _client(clock, login, proof, secrets, organisation=lambda _: 200, tokens=None, system="dataverse"):
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "login.test":
            return login(request)
        status = organisation(request)
        body = WHO if system == "dataverse" else {"value": [WHO]}
        return httpx.Response(status, json=body if status == 200 else None)

    given = {"tenant": "tenant", "client_id": "client", "authority": "https://login.test", **proof}
    config = (
        DataverseConnection(system="dataverse", url="https://org.test", **given)
        if system == "dataverse"
        else FinanceConnection(system="finance", url="https://fin.test", company="usmf", **given)
    )
    client = connect(
        "crm",
        config,
        clock=clock,
        secrets=secrets,
        transport=httpx.MockTransport(answer),
        tokens=tokens,
    )
    with closing(client):
        yield client
