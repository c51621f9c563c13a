"""A recording is repeatable, allowed by policy, and holds nothing of a person, a card or a secret."""

import base64
import json
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
import vcr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tagline.clock import SystemClock, VirtualClock
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import RefusedError, UsageError
from tagline.harness.cassettes import load as load_cassette
from tagline.harness.places import Place, real, sandboxed
from tagline.harness.recording import Recording, record
from tagline.harness.replaying import replay
from tagline.harness.world import START
from tagline.integration import Integration, load
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.seed import PRICE_LIST

ROOT = Path(__file__).parents[2]
NAME = "order_to_cash"


@pytest.fixture(scope="module")
def integration() -> Integration:
    return load(ROOT / "integrations" / NAME)


def make_config(sandbox: Sandbox, **settings: Any) -> EnvironmentConfig:
    given = sandbox.connection_configs("dev")
    return EnvironmentConfig.model_validate(
        {
            "environment": "dev",
            "agent": {"public_url": "https://hooks.example.com", "state": "x", "state_key": "env:K"},
            "connections": {name: given[name] for name in ("shop", "crm")},
            "integrations": {NAME: {"settings": {"price_level": PRICE_LIST, **settings}}},
        }
    )


def make_place(sandbox: Sandbox, **settings: Any) -> Place:
    secrets = sandbox.connection_configs("dev")["secrets"]
    return Place(
        make_config(sandbox, **settings),
        sandbox.clock,
        sandbox.transport,
        lambda reference: str(secrets[reference.removeprefix("env:")]),
    )


def make_sandbox() -> Sandbox:
    return Sandbox(VirtualClock(START))


def make_recording(root: Path, integration: Integration, place: Place, *keys: object) -> Recording:
    return record(root, integration, place, scenario="few", keys=tuple(map(str, keys)), last=50)


def files_in(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


@pytest.fixture(scope="module")
def recorded(integration: Integration, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return make_recording(
        tmp_path_factory.mktemp("first"), integration, sandboxed(make_config(make_sandbox()))
    )


# -- repeatable ------------------------------------------------------------------------------------


def test_recording_again_in_the_sandbox_gives_the_same_bytes(
    integration: Integration, recorded: Recording, tmp_path: Path
) -> None:
    """Else no diff of a cassette would say what the code does otherwise."""
    again = make_recording(tmp_path, integration, sandboxed(make_config(make_sandbox())))
    assert again.cassette.read_bytes() == recorded.cassette.read_bytes()
    assert again.corpus.read_bytes() == recorded.corpus.read_bytes()
    assert sorted(files_in(tmp_path)) == sorted([again.cassette, again.corpus])


def test_a_recording_replays_without_a_problem(integration: Integration, recorded: Recording) -> None:
    replayed = replay(integration, load_cassette(recorded.cassette))
    assert replayed.problems == ()
    assert replayed.outcomes == recorded.outcomes
    assert replayed.played == recorded.interactions


def test_a_recording_in_the_sandbox_holds_refusals_creations_changes_and_removals(
    recorded: Recording,
) -> None:
    """What it does not hold, a replay cannot miss: without a change there would be no If-Match to lose."""
    assert {"done", "unknown-sku", "order-total-differs", "status-unmapped", "record-malformed"} == set(
        recorded.outcomes.values()
    )
    sent = b"".join(i.request_body for i in load_cassette(recorded.cassette).interactions)
    for part in (b"If-None-Match: *", b'If-Match: W/"', b"DELETE /api/data", b"FulfillSalesOrder"):
        assert part in sent


class Vouching(httpx.BaseTransport):
    """A login service that believes any proof of the application: it goes on with the application's secret."""

    def __init__(self, inner: httpx.BaseTransport, secret: str) -> None:
        self._inner, self._secret = inner, secret
        self.proofs: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            form = dict(httpx.QueryParams(request.read().decode()))
            self.proofs |= {"client_secret", "client_assertion"} & form.keys()
            form |= {"client_secret": self._secret}
            told = {k: v for k, v in form.items() if not k.startswith("client_assertion")}
            request = httpx.Request("POST", request.url, data=told)
        return self._inner.handle_request(request)


def key_and_certificate() -> str:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (private + made.public_bytes(pem)).decode()


@pytest.mark.parametrize("proof", ["certificate", "assertion"])
def test_a_recording_replays_however_its_connections_sign_in(
    integration: Integration, tmp_path: Path, proof: str
) -> None:
    """Neither how nor with what is part of a cassette."""
    sandbox = make_sandbox()
    [key] = sandbox.shops["dev"].place_orders(1, seed=1)
    given = sandbox.connection_configs("dev")
    crm = {**given["crm"], "client_secret": None, proof: "file:/home/canary/proof", "expires": "2027-01-01"}
    bearer = {"private_key": None, "token": None, "access_token": "env:BEARER"}
    config = make_config(sandbox).model_dump()
    config["connections"] = {"crm": crm, "shop": {**given["shop"], **bearer}}
    secrets = {
        **{f"env:{name}": value for name, value in given["secrets"].items()},
        "file:/home/canary/proof": key_and_certificate() if proof == "certificate" else "canary.of.provider",
        "env:BEARER": sandbox.shops["dev"].grant(),
    }
    login = Vouching(sandbox.transport(), given["secrets"]["TAGLINE_DEV_CRM_CLIENT_SECRET"])
    place = Place(EnvironmentConfig.model_validate(config), sandbox.clock, lambda: login, secrets.__getitem__)
    made = make_recording(tmp_path, integration, place, key)
    assert login.proofs == {"client_assertion"}
    replayed = replay(integration, load_cassette(made.cassette))
    assert (replayed.problems, replayed.outcomes) == ((), made.outcomes)
    assert "canary" not in made.cassette.read_text()


def test_the_corpus_holds_each_record_once_with_its_raw_form(recorded: Recording) -> None:
    records = json.loads(recorded.corpus.read_text())["records"]
    assert [r["key"] for r in records] == list(recorded.outcomes)
    assert all(r["raw"]["OrderID"] == int(r["key"]) for r in records)


def test_plain_vcrpy_replays_a_recorded_cassette(recorded: Recording) -> None:
    first = load_cassette(recorded.cassette).interactions[0]
    with vcr.use_cassette(str(recorded.cassette), record_mode="none"), httpx.Client() as client:
        answer = client.request(first.method, first.url, headers=dict(first.request_headers))
    assert (answer.status_code, answer.content) == (first.status, first.response_body)


# -- allowed ---------------------------------------------------------------------------------------


def test_an_environment_that_does_not_allow_it_is_refused_before_anything_is_reached() -> None:
    with pytest.raises(RefusedError) as caught:
        real(make_config(make_sandbox()), SystemClock())
    assert (caught.value.code, caught.value.exit_code) == ("recording-not-allowed", 3)
    assert "policy.recording" in caught.value.hint


def test_of_the_shipped_environments_only_dev_allows_it() -> None:
    folder = ROOT / "environments"
    policies = {p.stem: tomllib.loads(p.read_text()).get("policy", {}) for p in folder.glob("*.toml")}
    assert [name for name, policy in sorted(policies.items()) if policy.get("recording")] == ["dev"]


def test_nothing_to_record_is_told(integration: Integration, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        make_recording(tmp_path, integration, make_place(make_sandbox()))
    assert caught.value.code == "nothing-to-record"
    assert files_in(tmp_path) == []


def test_settings_that_do_not_fit_are_told_by_name(integration: Integration, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        make_recording(tmp_path, integration, make_place(make_sandbox(), person_as="nobody"))
    assert caught.value.code == "settings-invalid"
    assert "person_as" in caught.value.message


# -- scrubbed --------------------------------------------------------------------------------------

CARD = "4111111111111111"
FIRST, LAST = "Canaryella", "Zoë-Whitlockson"
EMAIL = "canary.one+tea/7@private-mail.test"
COMPANY, POSTCODE = "Hopper Canary Holding", "CN7 4RY"
STREET, PHONE = "77 Hidden Canary Lane", "+1 (404) 555-7788"
FREE = "my sister Philomena Quackenbush pays"


def plant(sandbox: Sandbox) -> int:
    """An order full of what must not be kept: in fields known and unknown, nested, and in free text."""
    shop = sandbox.shops["dev"]
    order_id = shop.place_awkward()["card_data"]
    order = shop.orders[order_id]
    order |= {
        "BillingFirstName": FIRST,
        "BillingLastName": LAST,
        "BillingEmail": EMAIL,
        "BillingAddress": STREET,
        "BillingPhoneNumber": PHONE,
        "BillingCompany": COMPANY,
        "BillingZipCode": POSTCODE,
        "CustomerComments": FREE,
        "InternalComments": f"{FREE}, card {CARD}",
        "IP": "203.0.113.77",
        "CustomField9": EMAIL,
        "CardNumber": CARD,
        "CardVerification": "9137",
        "QuestionList": [{"QuestionAnswer": f"{FIRST} {LAST}", "Card": "4111 1111 1111 1111"}],
    }
    for shipment in order["ShipmentList"]:
        shipment |= {
            "ShipmentFirstName": FIRST,
            "ShipmentLastName": LAST,
            "ShipmentEmail": EMAIL,
            "ShipmentCompany": COMPANY,
            "ShipmentZipCode": POSTCODE,
            "ShipmentAddress": STREET,
            "ShipmentPhone": PHONE,
            "ShipmentComments": FREE,
        }
    for item in order["OrderItemList"]:
        item |= {"ItemNotes": FREE, "ItemGiftTo": EMAIL}
    for transaction in order["TransactionList"]:
        transaction |= {"PaymentToken": "tok-canary-5551212", "CardNumber": CARD, "TransactionCVV2": "9137"}
    return order_id


CANARIES = (
    CARD,
    "4111 1111 1111 1111",
    "9137",
    "tok-canary-5551212",
    FIRST,
    LAST,
    COMPANY,
    POSTCODE,
    "Whitlockson",
    EMAIL,
    "private-mail",
    STREET,
    "Hidden Canary",
    PHONE,
    "555-7788",
    "Philomena",
    "Quackenbush",
    "203.0.113.77",
)


def forms(value: str) -> set[str]:
    """How a text can stand in a file: as it is, in an address, in JSON or YAML, in Base64 at any alignment."""
    raw = value.encode()
    # The three characters at either end of Base64 depend on what stands beside the value.
    cores = {base64.b64encode(b"\0" * n + raw).decode().rstrip("=")[4:-3] for n in range(3)}
    plain = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], ascii(value)[1:-1]}
    return plain | {core for core in cores if len(core) >= 6}


def test_canaries_of_every_kind_are_in_neither_file(integration: Integration, tmp_path: Path) -> None:
    sandbox = make_sandbox()
    planted = plant(sandbox)
    made = make_recording(tmp_path, integration, make_place(sandbox), planted)
    assert made.outcomes == {str(planted): "done"}
    configs = sandbox.connection_configs("dev")
    identities = [
        configs["crm"]["tenant"],
        configs["crm"]["client_id"],
        configs["shop"]["store_url"],
        "sandbox.test",
        "Bearer",
    ]
    for file in (made.cassette, made.corpus):
        # YAML folds long texts; a canary must not hide behind a line's end.
        text = " ".join(file.read_text().split())
        for canary in (*CANARIES, *configs["secrets"].values(), *identities):
            for form in forms(canary):
                assert form not in text, f"{canary!r} in {file.name}"


def test_planted_canaries_are_really_told_by_the_shop() -> None:
    """Else the test above would prove nothing."""
    sandbox = make_sandbox()
    order_id = plant(sandbox)
    told = json.dumps(sandbox.shops["dev"].orders[order_id], default=str, ensure_ascii=False)
    assert all(canary in told for canary in CANARIES)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("BillingCity", "Care of jane.roe@private-mail.test", "e-mail address"),
        ("BillingCity", "4111 1111 1111 1111", "card number"),
        ("BillingCity", f"{FIRST} & Daughters", "personal value"),
        ("AlternateOrderID", "Bearer abcdef0123456789", "token"),
        ("ShipmentTrackingCode", "jane.roe@private-mail.test", "e-mail address"),
    ],
)
def test_what_would_leak_through_a_declared_field_is_refused_and_nothing_is_written(
    integration: Integration, tmp_path: Path, field: str, value: str, kind: str
) -> None:
    sandbox = make_sandbox()
    planted = plant(sandbox)
    order = sandbox.shops["dev"].orders[planted]
    (order["ShipmentList"][0] if field.startswith("Shipment") else order)[field] = value
    with pytest.raises(RefusedError) as caught:
        make_recording(tmp_path, integration, make_place(sandbox), planted)
    assert caught.value.code == "recording-leaks"
    assert kind in caught.value.message
    assert value not in f"{caught.value.message}{caught.value.where}{caught.value.hint}"
    assert files_in(tmp_path) == []


def test_a_refused_recording_leaves_an_earlier_one_as_it_was(
    integration: Integration, tmp_path: Path
) -> None:
    sandbox = make_sandbox()
    planted = plant(sandbox)
    made = make_recording(tmp_path, integration, make_place(sandbox), planted)
    before = made.cassette.read_bytes()
    sandbox.shops["dev"].orders[planted]["BillingCity"] = EMAIL
    with pytest.raises(RefusedError):
        make_recording(tmp_path, integration, make_place(sandbox), planted)
    assert made.cassette.read_bytes() == before
    assert len(files_in(tmp_path)) == 2
