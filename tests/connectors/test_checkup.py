"""Checks that need no remote: when credentials end, and whether the agent's address can be one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors.checkup import SOON, address_check, expiry_checks
from tagline.domain.checkup import Check, State
from tagline.domain.environment import DataverseConnection, Identity

TODAY = date(2027, 3, 1)
GIVEN = {
    "system": "dataverse",
    "url": "https://org.crm.dynamics.com",
    "tenant": "t",
    "client_id": "c",
}


def _checks(secret: str = "", **changes: object) -> list[Check]:
    connection = DataverseConnection.model_validate({**GIVEN, **changes})
    return list(expiry_checks("crm", connection, TODAY, lambda _: secret))


@given(st.dates(min_value=TODAY - timedelta(days=400), max_value=TODAY + timedelta(days=400)))
def test_a_secret_is_judged_by_the_days_it_has_left(last):
    (check,) = _checks(client_secret="env:S", expires=last)
    left = last - TODAY
    wanted = State.FAILED if left.days < 0 else State.WARNING if left < SOON else State.GOOD
    assert check.state is wanted
    assert str(last) in check.found


def test_a_secret_whose_last_day_nobody_wrote_down_is_unknown_and_says_how_to_tell():
    (check,) = _checks(client_secret="env:S")
    assert check.state is State.UNKNOWN
    assert "expires" in check.fix


def test_an_assertion_does_not_end():
    (check,) = _checks(assertion="file:/token")
    assert check.state is State.GOOD


def test_a_certificate_says_itself_when_it_ends():
    (check,) = _checks(_certificate(TODAY + timedelta(days=3)), certificate="file:/pem")
    assert (check.state, "2027-03-04" in check.found) == (State.WARNING, True)


@pytest.mark.parametrize(
    "address", ["", "https://", "https://[", "https://host:x", "https://host:99999", "host"]
)
def test_what_is_no_address_is_told_and_nothing_is_sent(address):
    check = address_check(address, VirtualClock(datetime(2027, 1, 1, tzinfo=UTC)))
    assert (check.state, bool(check.fix)) == (State.FAILED, True)


def test_the_application_that_sets_up_is_looked_at_too():
    deploy = Identity(client_id="d", client_secret="env:D", expires=TODAY - timedelta(days=1))
    found = _checks(client_secret="env:S", expires=TODAY + timedelta(days=300), deploy=deploy)
    assert [(c.subject, c.state) for c in found] == [
        ("crm secret", State.GOOD),
        ("crm deploy secret", State.FAILED),
    ]


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("http://127.0.0.1:8701", State.WARNING),
        ("https://localhost", State.WARNING),
        ("http://hooks.example.com", State.FAILED),
    ],
)
def test_an_address_that_no_shop_can_or_may_use_is_told_without_asking_it(url, state):
    check = address_check(url, VirtualClock(datetime(2027, 3, 1, tzinfo=UTC)))
    assert check.state is state
    assert check.fix


def _certificate(last: date) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    end = datetime(last.year, last.month, last.day, 12, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=365))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
