"""The token endpoint: client credentials with the errors a real tenant gives."""

import base64
import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tagline.connectors import connect
from tagline.domain.environment import DataverseConnection
from tagline.sandbox.login_proof import Trust


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


# Proofs other than a secret


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def certificate_of(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tagline")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    )
    return builder.sign(key, hashes.SHA256())


def part(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(key, claims, *, algorithm="PS256", **header):
    text = ".".join(part(json.dumps(v).encode()) for v in ({"alg": algorithm, **header}, claims))
    scheme = {
        "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH),
        "RS256": padding.PKCS1v15(),
    }[algorithm]
    return f"{text}.{part(key.sign(text.encode(), scheme, hashes.SHA256()))}"


@pytest.fixture
def register(sandbox):
    """Changes the running application's registration."""

    def register(**changes):
        client_id = sandbox.connection_configs("dev")["crm"]["client_id"]
        sandbox.login.applications[client_id] = replace(sandbox.login.applications[client_id], **changes)
        return client_id

    return register


@pytest.fixture
def prove(sandbox, client):
    crm = sandbox.connection_configs("dev")["crm"]

    def prove(assertion, **changes):
        form = {
            "client_id": crm["client_id"],
            "grant_type": "client_credentials",
            "scope": f"{crm['url']}/.default",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            **changes,
        }
        return client.post(f"{crm['authority']}/{crm['tenant']}/oauth2/v2.0/token", data=form)

    return prove


@pytest.fixture
def claims(sandbox, clock):
    crm = sandbox.connection_configs("dev")["crm"]
    now = int(clock.now().timestamp())
    return {
        "aud": f"{crm['authority']}/{crm['tenant']}/oauth2/v2.0/token",
        "iss": crm["client_id"],
        "sub": crm["client_id"],
        "nbf": now,
        "exp": now + 600,
    }


def thumbprint(certificate, algorithm):
    return part(certificate.fingerprint(algorithm))


@pytest.mark.parametrize("form", ["PS256", "RS256"])
def test_a_registered_certificate_proves_the_application(register, prove, claims, key, form):
    certificate = certificate_of(key)
    register(certificates=(certificate.public_bytes(Encoding.PEM).decode(),))
    header = (
        {"x5t#S256": thumbprint(certificate, hashes.SHA256())}
        if form == "PS256"
        else {"x5t": thumbprint(certificate, hashes.SHA1())}
    )
    assert prove(signed(key, claims, algorithm=form, **header)).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "number"),
    [
        ({"exp": 1, "nbf": 0}, 700024),
        ({"exp": 10**400, "nbf": 10**400}, 700024),
        ({"aud": "https://elsewhere.test"}, 700023),
        ({"sub": "somebody else"}, 700021),
        ({"iss": "somebody else"}, 700213),
    ],
    ids=["over", "in ages", "audience", "subject", "issuer"],
)
def test_a_signed_assertion_about_something_else_is_refused(register, prove, claims, key, wrong, number):
    certificate = certificate_of(key)
    register(certificates=(certificate.public_bytes(Encoding.PEM).decode(),))
    header = {"x5t#S256": thumbprint(certificate, hashes.SHA256())}
    answer = prove(signed(key, {**claims, **wrong}, **header))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.json()["error_codes"] == [number]


def test_another_key_under_a_registered_thumbprint_is_refused(register, prove, claims, key):
    certificate = certificate_of(key)
    register(certificates=(certificate.public_bytes(Encoding.PEM).decode(),))
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = signed(other, claims, **{"x5t#S256": thumbprint(certificate, hashes.SHA256())})
    assert prove(forged).json()["error_codes"] == [700027]
    assert prove(signed(key, claims)).json()["error_codes"] == [700027], "which certificate is not said"


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "e30.e30.e30", "bm8.bm8.bm8", f"{'W1tb' * 30_000}.e30.e30"],
    ids=["empty", "two parts", "unsigned", "no JSON", "deep"],
)
def test_what_is_no_token_is_refused(register, prove, text):
    register()
    assert prove(text).status_code == 401


def test_the_token_of_a_trusted_provider_proves_the_application(register, prove, clock, key):
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    register(trusts=(Trust("https://ci.test", "repo:tagline", public),))
    now = int(clock.now().timestamp())
    good = {
        "iss": "https://ci.test",
        "sub": "repo:tagline",
        "aud": "api://AzureADTokenExchange",
        "exp": now + 60,
    }
    assert prove(signed(key, good, algorithm="RS256")).status_code == 200
    for wrong, number in (
        ({"sub": "repo:other"}, 700213),
        ({"aud": "api://other"}, 700212),
        ({"exp": now - 4000}, 700024),
    ):
        # the machine's clock counts, too: whatever it shows, that long ago is over
        answer = prove(signed(key, {**good, **wrong}, algorithm="RS256"))
        assert answer.json()["error_codes"] == [number]
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert prove(signed(other, good, algorithm="RS256")).json()["error_codes"] == [5002727]


def test_no_proof_and_an_expired_secret_are_told_by_number(register, ask, prove, clock):
    register(secret_expires=clock.now())
    assert ask().json()["error_codes"] == [7000222]
    assert prove("x", client_assertion_type="nonsense").json()["error_codes"] == [50027]


def test_a_form_without_proof_is_refused(sandbox, client):
    crm = sandbox.connection_configs("dev")["crm"]
    form = {
        "client_id": crm["client_id"],
        "grant_type": "client_credentials",
        "scope": f"{crm['url']}/.default",
    }
    answer = client.post(f"{crm['authority']}/{crm['tenant']}/oauth2/v2.0/token", data=form)
    assert answer.json()["error_codes"] == [7000218]


def test_tokens_can_be_made_to_expire_early(crm, client):
    assert crm.call("GET", "WhoAmI").status_code == 200
    answer = client.post("https://login.sandbox.test/_sandbox/expire-tokens")
    assert answer.json() == {"tokens": 1}
    assert crm.call("GET", "WhoAmI").status_code == 401


def test_msal_signs_in_with_a_certificate(sandbox, client, register, key):
    certificate = certificate_of(key).public_bytes(Encoding.PEM).decode()
    register(certificates=(certificate,))
    crm = sandbox.connection_configs("dev")["crm"]
    config = DataverseConnection.model_validate(
        {**{k: v for k, v in crm.items() if k != "client_secret"}, "certificate": "env:PEM"}
    )
    crm_client = connect(
        "crm",
        config,
        clock=sandbox.clock,
        secrets=lambda _reference: pem_of(key) + certificate,
        transport=sandbox.transport(),
    )
    with closing(crm_client):
        crm_client.probe()
