"""An organisation that is put away and taken out again goes on where it was."""

import base64

import httpx
import pytest

from tagline.sandbox.dataverse_schema import Column
from tagline.sandbox.dataverse_solution_file import SolutionFile, write_solution
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.state_file import StateFile


@pytest.fixture
def reopened(tmp_path, clock, connect_crm):
    """Opens the sandbox of a state file anew: the sandbox, and its Web API."""
    files = []
    clients = []

    def reopen():
        for each in (*files, *clients):
            each.close()
        sandbox = Sandbox(clock, seed=7)
        file = StateFile(tmp_path / "sandbox.sqlite", {"seed": 7})
        sandbox.keep(file)
        client = httpx.Client(transport=sandbox.transport())
        files[:], clients[:] = [file], [client]
        return sandbox, connect_crm(sandbox, client)

    yield reopen
    for each in (*files, *clients):
        each.close()


def test_rows_versions_keys_and_columns_come_back(reopened, clock):
    _sandbox, crm = reopened()
    column = {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_x"}
    crm.call("POST", "EntityDefinitions(LogicalName='account')/Attributes", column)
    key = {"SchemaName": "new_key", "KeyAttributes": ["new_x"]}
    crm.call("POST", "EntityDefinitions(LogicalName='account')/Keys", key)
    made = crm.call("POST", "accounts", {"name": "A", "new_x": "v"}).headers["OData-EntityId"]
    before = crm.read(made)
    _sandbox, crm = reopened()
    assert crm.read(made) == before
    clock.advance(60)
    assert crm.read("accounts(new_x='v')")["name"] == "A", "the index was built after all"
    ids = {crm.call("POST", "accounts", {"name": "B"}).headers["OData-EntityId"] for _ in range(3)}
    assert made not in ids
    assert len(ids) == 3
    assert all(crm.read(i)["versionnumber"] > before["versionnumber"] for i in ids)


def test_deliveries_come_back_and_delta_links_do_not(reopened, clock):
    sandbox, crm = reopened()
    link = crm.read("accounts?$select=name", Prefer="odata.track-changes")["@odata.deltaLink"]
    hook = {"name": "t", "url": "https://intake.test/hook", "contract": 8}
    endpoint = crm.call("POST", "serviceendpoints", hook).headers["OData-EntityId"]
    query = "?$filter=primaryobjecttypecode eq 'account' and sdkmessageid/name eq 'Create'"
    (found,) = crm.read(f"sdkmessagefilters{query}")["value"]
    step = {
        "name": "t",
        "eventhandler_serviceendpoint@odata.bind": endpoint,
        "sdkmessageid@odata.bind": f"/sdkmessages({found['_sdkmessageid_value']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})",
        "stage": 40,
        "mode": 1,
        "rank": 1,
        "supporteddeployment": 0,
    }
    crm.call("POST", "sdkmessageprocessingsteps", step)
    crm.call("POST", "accounts", {"name": "A"})
    sandbox, crm = reopened()
    clock.advance(5)
    sent = []
    sandbox.organisations["dev"].webhooks.deliver(lambda request: sent.append(request.url) or 200)
    assert sent == ["https://intake.test/hook"]
    assert crm.call("GET", link).json()["error"]["code"] == "0x80044352"


def test_an_imported_solution_is_still_whole_and_takes_its_columns_along(reopened):
    column = Column("new_x", "String", max_length=10)
    brought = SolutionFile(
        "extra", "1.0.0.0", True, "maker", "new", 10000, {"account": [column]}, {"account": {}}, []
    )
    _sandbox, crm = reopened()
    archive = base64.b64encode(write_solution(brought)).decode()
    assert crm.call("POST", "ImportSolution", {"CustomizationFile": archive}).status_code == 204
    _sandbox, crm = reopened()
    (row,) = crm.read("solutions?$filter=uniquename eq 'extra'")["value"]
    assert "new_x" in crm.read("accounts?$top=1")["value"][0]
    assert crm.call("DELETE", f"solutions({row['solutionid']})").status_code == 204
    _sandbox, crm = reopened()
    assert "new_x" not in crm.read("accounts?$top=1")["value"][0]
