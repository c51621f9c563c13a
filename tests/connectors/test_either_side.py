"""Where nobody knows which of two answers a remote gives, the connectors do the same after either."""

from datetime import UTC, datetime

import pytest

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.dataverse import Account
from tagline.connectors.dispositions import DATAVERSE
from tagline.connectors.finance import Customer
from tagline.domain.environment import DataverseConnection, FinanceConnection
from tagline.domain.exchange import ROW_CHANGED, Write, WriteKind
from tagline.errors import Disposition
from tagline.sandbox.dataverse_quirks import OrganisationQuirks
from tagline.sandbox.finance_quirks import FinanceQuirks
from tagline.sandbox.login_quirks import LoginQuirks
from tagline.sandbox.sandbox import Sandbox

KEY = (("tl_customerkey", "k"),)


@pytest.fixture
def make():
    """Makes a sandbox with quirks, and a connector to one of its sites."""
    made = []

    def make(connection="crm", **quirks):
        clock = VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))
        sandbox = Sandbox(clock, **quirks)
        kind = {"crm": DataverseConnection, "finance": FinanceConnection}[connection]
        config = kind.model_validate(sandbox.connection_configs("dev")[connection])
        client = connect(
            connection, config, clock=clock, secrets=sandbox.secret, transport=sandbox.transport()
        )
        made.append(client)
        return sandbox, client

    yield make
    for client in made:
        client.close()


@pytest.mark.parametrize("status", [400, 410])
def test_after_an_expired_link_what_changed_meanwhile_is_read(make, status):
    sandbox, crm = make(organisation_quirks=OrganisationQuirks(delta_expired_status=status))
    cursor = crm.changes(Account, None).cursor
    [outcome] = crm.perform([Write(WriteKind.CREATE, Account, KEY, {"name": "A"})])
    organisation = sandbox.organisations["dev"]
    with organisation.entered():
        organisation.tracking.expire(organisation.rows, organisation.schema.tables["account"])
    told = []
    for _ in range(3):
        page = crm.changes(Account, cursor)
        told += [change.key for change in page.items]
        cursor = page.cursor
    assert outcome.id in told
    assert {entry.status for entry in organisation.door.log} >= {status}


@pytest.mark.parametrize(
    ("quirk", "sides", "code"),
    [
        ("missing_bind_status", (404, 400), "0x80040217"),
        ("duplicates_found_status", (412, 500), "0x80040333"),
        ("sync_step_failed_status", (400, 500), "0x80040265"),
        ("wrong_media_type_status", (415, 400), "0x80060888"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_code_decides_and_not_the_status_of_it(quirk, sides, code):
    assert getattr(OrganisationQuirks(), quirk) == sides[0]
    first, second = (DATAVERSE.judge(status, code) for status in sides)
    assert first == second


@pytest.mark.parametrize("status", [409, 412])
def test_a_stale_version_in_finance_is_a_changed_row(make, status):
    _, erp = make("finance", finance_quirks=FinanceQuirks(stale_status=status))
    key = (("CustomerAccount", "C100001"),)
    [row] = erp.read(Customer, [key], ["OrganizationName"]).values()
    [first, second] = (
        erp.perform([Write(WriteKind.UPDATE, Customer, key, {"OrganizationName": text}, row.id, row.etag)])[0]
        for text in ("x", "y")
    )
    assert first.disposition is Disposition.DONE
    assert (second.disposition, second.code) == (Disposition.RETRY, ROW_CHANGED)


@pytest.mark.parametrize("version", [1, 2])
def test_tokens_of_either_version_open_the_organisation(make, version):
    _, crm = make(login_quirks=LoginQuirks(token_version=version))
    assert "knows us as user" in crm.probe()
