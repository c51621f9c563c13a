"""Keys, columns and change tracking that are added while the organisation runs; solutions that bring them."""

import base64
import io
import json
import uuid
import zipfile

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.sandbox.dataverse_rights import Depth
from tagline.sandbox.dataverse_schema import Column, tables
from tagline.sandbox.dataverse_solution_file import (
    Role,
    SolutionFile,
    SolutionFileError,
    read_solution,
    write_solution,
)
from tagline.sandbox.sandbox import Sandbox

KEYS = "EntityDefinitions(LogicalName='account')/Keys"
ATTRIBUTES = "EntityDefinitions(LogicalName='account')/Attributes"
KIND = "Microsoft.Dynamics.CRM."


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


def add_key(crm, *columns, name="new_key"):
    return crm.call("POST", KEYS, {"SchemaName": name, "KeyAttributes": list(columns)})


def add_column(crm, name, kind="String", **facts):
    body = {"@odata.type": f"{KIND}{kind}AttributeMetadata", "SchemaName": name, **facts}
    return crm.call("POST", ATTRIBUTES, body)


def status(crm, name="new_key"):
    return next(k for k in crm.read(KEYS)["value"] if k["SchemaName"] == name)["EntityKeyIndexStatus"]


def test_a_key_can_be_used_once_its_index_is_built(crm, clock):
    assert add_key(crm, "accountnumber").status_code == 204
    crm.call("POST", "accounts", {"name": "A", "accountnumber": "N1"})
    for seconds, expected in ((0, "Pending"), (6, "InProgress")):
        clock.advance(seconds)
        assert status(crm) == expected
        assert crm.call("GET", "accounts(accountnumber='N1')").status_code == 400, "not before it is active"
    clock.advance(20)
    assert status(crm) == "Active"
    assert crm.read("accounts(accountnumber='N1')")["name"] == "A"
    twin = {"name": "B", "accountnumber": "n1"}
    assert error(crm.call("POST", "accounts", twin)) == (412, "0x80060892")


def test_a_key_over_duplicates_fails_and_can_be_tried_again(crm, clock):
    rows = [crm.call("POST", "accounts", {"name": n, "accountnumber": "N1"}) for n in "AB"]
    add_key(crm, "accountnumber")
    clock.advance(30)
    assert status(crm) == "Failed"
    crm.call("PATCH", rows[0].headers["OData-EntityId"], {"accountnumber": "N2"})
    again = {"EntityLogicalName": "account", "EntityKeyLogicalName": "new_key"}
    assert crm.call("POST", "ReactivateEntityKey", again).status_code == 204
    assert status(crm) == "Pending"
    clock.advance(30)
    assert status(crm) == "Active"
    assert crm.read("accounts(accountnumber='N2')")["name"] == "A"


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (("nonsense",), "new_key"),
        (("description",), "new_key"),
        ((), "new_key"),
        (("name",), "tl_account_customerkey"),
    ],
    ids=["unknown", "memo", "none", "taken"],
)
def test_a_key_that_cannot_be_is_refused(crm, columns, name):
    assert add_key(crm, *columns, name=name).status_code == 400


def test_a_key_can_be_removed(crm, clock):
    add_key(crm, "accountnumber")
    clock.advance(30)
    path = f"{KEYS}(LogicalName='new_key')"
    assert crm.call("DELETE", path).status_code == 204
    assert crm.call("DELETE", path).status_code == 404
    assert "new_key" not in [k["SchemaName"] for k in crm.read(KEYS)["value"]]


@pytest.mark.parametrize(
    ("kind", "facts", "value", "wrong"),
    [
        ("String", {"MaxLength": 5}, "abc", "abcdef"),
        ("Memo", {"MaxLength": 10}, "abc", "a" * 11),
        ("Integer", {"MinValue": 0, "MaxValue": 9}, 7, 10),
        ("Decimal", {"Precision": 3, "MinValue": 0, "MaxValue": 9}, 1.5, -1),
        ("DateTime", {}, "2026-01-02T03:04:05Z", "soon"),
        ("Boolean", {}, True, "yes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_new_column_takes_what_fits_it(crm, kind, facts, value, wrong):
    made = add_column(crm, "new_Thing", kind, **facts)
    assert made.status_code == 204
    assert crm.read(made.headers["OData-EntityId"])["LogicalName"] == "new_thing"
    path = crm.call("POST", "accounts", {"name": "A", "new_thing": value}).headers["OData-EntityId"]
    assert (
        float(crm.read(path)["new_thing"]) == value
        if kind == "Decimal"
        else crm.read(path)["new_thing"] == value
    )
    assert crm.call("POST", "accounts", {"name": "A", "new_thing": wrong}).status_code == 400


def test_a_column_without_prefix_of_no_type_or_twice_is_refused(crm):
    assert add_column(crm, "thing").status_code == 400
    assert add_column(crm, "new_thing", "Nonsense").status_code == 400
    assert add_column(crm, "new_thing").status_code == 204
    assert add_column(crm, "new_thing").status_code == 400


def test_a_removed_column_takes_its_values_along(crm):
    add_column(crm, "new_thing")
    path = crm.call("POST", "accounts", {"name": "A", "new_thing": "x"}).headers["OData-EntityId"]
    assert crm.call("DELETE", f"{ATTRIBUTES}(LogicalName='new_thing')").status_code == 204
    assert "new_thing" not in crm.read(path)
    add_column(crm, "new_thing")
    assert crm.read(path)["new_thing"] is None
    assert crm.call("DELETE", f"{ATTRIBUTES}(LogicalName='name')").status_code == 400


def test_one_organisations_columns_are_not_anothers(clock, make_sandbox, connect_crm):
    sandbox = make_sandbox(clock, environments=("dev", "qa"))
    with httpx.Client(transport=sandbox.transport()) as client:
        add_column(connect_crm(sandbox, client), "new_thing")
    with sandbox.organisations["qa"].entered():
        assert "new_thing" not in tables()["account"].columns
    assert "new_thing" not in tables()["account"].columns


def test_a_column_of_a_failed_change_set_is_not_there(crm):
    def member(number, path, body):
        head = f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n"
        return f"--c\r\n{head}POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{json.dumps(body)}\r\n"

    column = {"@odata.type": f"{KIND}StringAttributeMetadata", "SchemaName": "new_thing"}
    members = member(1, ATTRIBUTES, column) + member(2, "accounts", {"nonsense": 1})
    body = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{members}--c--\r\n--b--\r\n"
    headers = {**crm.headers, "Content-Type": "multipart/mixed; boundary=b"}
    answer = crm.client.post(f"{crm.base}$batch", content=body.encode(), headers=headers)
    assert answer.status_code == 400
    assert "new_thing" not in crm.read("accounts?$top=1")["value"][0]
    assert add_column(crm, "new_thing").status_code == 204


def test_change_tracking_is_switched_for_a_table(crm):
    path = "EntityDefinitions(LogicalName='orderclose')"
    tracked = {"Prefer": "odata.track-changes"}
    assert crm.call("GET", "ordercloses?$select=subject", **tracked).status_code == 400
    assert crm.call("PUT", path, {"ChangeTrackingEnabled": True}).status_code == 204
    assert crm.read(path)["ChangeTrackingEnabled"] is True
    assert "@odata.deltaLink" in crm.read("ordercloses?$select=subject", **tracked)


def test_other_metadata_is_not_written(crm):
    assert crm.call("POST", "EntityDefinitions", {}).status_code == 400
    assert crm.call("PATCH", KEYS, {}).status_code == 405
    assert crm.call("PUT", "EntityDefinitions(LogicalName='nonsense')", {}).status_code == 404


# Solutions

ROLE = Role(
    str(uuid.UUID(int=77)), "tagline runtime", {"prvReadAccount": Depth.LOCAL, "prvNonsense": Depth.GLOBAL}
)


def solution(**changes):
    facts = {
        "name": "tagline_shop",
        "version": "1.2.0.0",
        "is_managed": True,
        "publisher": "tagline",
        "prefix": "tl",
        "option_prefix": 13704,
        "columns": {"account": [Column("tl_customerkey", "String", max_length=100)]},
        "keys": {"account": {"tl_account_customerkey": ("tl_customerkey",)}},
        "roles": [ROLE],
    }
    return SolutionFile(**{**facts, **changes})


def in_base64(archive):
    return base64.b64encode(archive).decode()


@pytest.fixture
def bare(clock):
    """An organisation without the solution."""
    return Sandbox(clock, seed=7, solution=False)


@pytest.fixture
def bare_crm(bare, connect_crm):
    with httpx.Client(transport=bare.transport()) as client:
        yield connect_crm(bare, client)


def bring(crm, clock, archive):
    """Stage and import; the status of the background operation and the result."""
    body = {"CustomizationFile": in_base64(archive)}
    staged = crm.call("POST", "StageSolution", body).json()["StageSolutionResults"]
    assert staged["StageSolutionStatus"] == "Passed", staged
    parameters = {"StageSolutionUploadId": staged["StageSolutionUploadId"]}
    started = crm.call("POST", "ImportSolutionAsync", {"SolutionParameters": parameters}).json()
    path = f"asyncoperations({started['AsyncOperationId']})?$select=statecode,statuscode"
    seen = [crm.read(path)["statecode"]]
    for _ in range(3):
        clock.advance(4)
        seen.append(crm.read(path)["statecode"])
    assert seen == [0, 2, 3, 3]
    result = crm.read(f"RetrieveSolutionImportResult(ImportJobId={started['ImportJobKey']})")
    return crm.read(path)["statuscode"], result["SolutionOperationResult"]


def test_a_bare_organisation_knows_nothing_of_tagline(bare_crm):
    assert bare_crm.call("GET", "accounts(tl_customerkey='x')").status_code == 400
    assert bare_crm.read("solutions?$filter=uniquename eq 'tagline_order_to_cash'")["value"] == []
    assert "tl_customerkey" not in bare_crm.read("accounts?$top=1")["value"][0]


def test_an_import_brings_columns_keys_and_a_role(bare_crm, clock):
    ended, result = bring(bare_crm, clock, write_solution(solution()))
    assert (ended, result["Status"]) == (30, "Passed")
    clock.advance(30)
    bare_crm.call("PATCH", "accounts(tl_customerkey='k')", {"name": "A"})
    assert bare_crm.read("accounts(tl_customerkey='k')")["name"] == "A"
    (row,) = bare_crm.read("solutions?$filter=uniquename eq 'tagline_shop'&$expand=publisherid")["value"]
    assert (row["version"], row["ismanaged"]) == ("1.2.0.0", True)
    assert row["publisherid"]["customizationprefix"] == "tl"
    role = bare_crm.read(f"roles({ROLE.id})")
    assert role["name"] == "tagline runtime"
    held = bare_crm.read(f"roleprivilegescollection?$filter=roleid eq {ROLE.id}")["value"]
    assert len(held) == 1, "privileges that nobody knows are left out"


def test_importing_again_changes_nothing_and_a_newer_one_the_version(bare_crm, clock):
    for version in ("1.2.0.0", "1.2.0.0", "1.3.0.0"):
        assert bring(bare_crm, clock, write_solution(solution(version=version)))[0] == 30
    (row,) = bare_crm.read("solutions?$filter=uniquename eq 'tagline_shop'")["value"]
    assert row["version"] == "1.3.0.0"


@pytest.mark.parametrize(
    "changes",
    [
        {"is_managed": False},
        {"columns": {"account": [Column("tl_customerkey", "String", max_length=50)]}},
        {"columns": {"account": [Column("tl_customerkey", "Integer")]}},
        {"keys": {"account": {"tl_other": ("tl_nowhere",)}}},
    ],
    ids=["other kind", "shorter", "other type", "key without column"],
)
def test_an_import_that_conflicts_fails_with_its_reason(bare_crm, clock, changes):
    bring(bare_crm, clock, write_solution(solution()))
    ended, result = bring(bare_crm, clock, write_solution(solution(**changes)))
    assert (ended, result["Status"]) == (31, "Failed")
    assert result["ErrorMessages"][0]["Message"]


def test_staging_tells_what_is_wrong_or_missing(bare_crm):
    def stage(archive):
        body = {"CustomizationFile": in_base64(archive)}
        return bare_crm.call("POST", "StageSolution", body).json()["StageSolutionResults"]

    torn = stage(b"PK nonsense")
    assert torn["StageSolutionStatus"] == "Failed"
    assert torn["SolutionValidationResults"]
    columns = {"nonsense": [Column("tl_x", "String", max_length=10)]}
    missing = stage(write_solution(solution(columns=columns, keys={})))
    assert missing["MissingDependencies"] == [{"RequiredComponentSchemaName": "nonsense"}]
    assert bare_crm.call("POST", "StageSolution", {"CustomizationFile": "not base64!"}).status_code == 400


def test_a_direct_import_is_done_when_it_is_answered(bare_crm):
    body = {"CustomizationFile": in_base64(write_solution(solution())), "ImportJobId": str(uuid.UUID(int=5))}
    assert bare_crm.call("POST", "ImportSolution", body).status_code == 204
    result = bare_crm.read(f"RetrieveSolutionImportResult(ImportJobId={uuid.UUID(int=5)})")
    assert result["SolutionOperationResult"]["Status"] == "Passed"
    assert bare_crm.call("POST", "ImportSolution", {"CustomizationFile": in_base64(b"x")}).status_code == 400


@pytest.mark.parametrize("managed", [True, False])
def test_only_a_managed_solution_takes_along_what_it_brought(bare_crm, clock, managed):
    bring(bare_crm, clock, write_solution(solution(is_managed=managed)))
    clock.advance(30)
    (row,) = bare_crm.read("solutions?$filter=uniquename eq 'tagline_shop'")["value"]
    assert bare_crm.call("DELETE", f"solutions({row['solutionid']})").status_code == 204
    assert bare_crm.read("solutions?$filter=uniquename eq 'tagline_shop'")["value"] == []
    names = bare_crm.read("accounts?$top=1")["value"][0]
    assert ("tl_customerkey" in names) is not managed
    assert bare_crm.call("GET", f"roles({ROLE.id})").status_code == (404 if managed else 200)


def test_what_is_exported_can_be_imported_elsewhere(crm, bare_crm, clock):
    bring(crm, clock, write_solution(solution(is_managed=False)))
    body = {"SolutionName": "tagline_shop", "Managed": True}
    archive = base64.b64decode(crm.call("POST", "ExportSolution", body).json()["ExportSolutionFile"])
    assert bring(bare_crm, clock, archive)[0] == 30
    clock.advance(30)
    assert bare_crm.call("GET", "accounts(tl_customerkey='x')").status_code == 404
    assert error(bare_crm.call("POST", "ExportSolution", body)) == (400, "0x80048036"), "managed is closed"
    assert bare_crm.call("POST", "ExportSolution", {"SolutionName": "nonsense"}).status_code == 404


NAMES = st.from_regex(r"tl_[a-z]{1,10}", fullmatch=True)
COLUMNS = st.one_of(
    st.builds(Column, NAMES, st.just("String"), max_length=st.integers(1, 4000)),
    st.builds(Column, NAMES, st.sampled_from(["DateTime", "DateOnly", "Boolean"])),
    st.builds(
        Column, NAMES, st.just("Decimal"), precision=st.integers(0, 10), min=st.just(-5.0), max=st.just(5.0)
    ),
)


@settings(max_examples=30)
@given(
    columns=st.dictionaries(
        st.sampled_from(["account", "contact"]), st.lists(COLUMNS, max_size=3), max_size=2
    ),
    keys=st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=2),
    managed=st.booleans(),
)
def test_a_solution_file_says_what_was_put_into_it(columns, keys, managed):
    made = solution(columns={"account": [], **columns}, keys={"account": keys}, is_managed=managed)
    read = read_solution(write_solution(made))
    assert (read.is_managed, read.version, read.roles) == (managed, made.version, made.roles)
    assert {t: list(c) for t, c in read.columns.items() if c} == {t: c for t, c in made.columns.items() if c}
    assert {t: dict(k) for t, k in read.keys.items() if k} == {t: k for t, k in made.keys.items() if k}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"solution.xml": "<x/>", "customizations.xml": "<x/>"},
        {"solution.xml": "no xml", "customizations.xml": "<x/>"},
    ],
    ids=["empty", "no manifest", "no xml"],
)
def test_a_file_that_is_no_solution_is_refused(parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    with pytest.raises(SolutionFileError):
        read_solution(buffer.getvalue())


def test_the_clock_alone_finishes_an_import(bare_crm, bare, clock):
    """Nobody has to poll for it to be done."""
    body = {"CustomizationFile": in_base64(write_solution(solution()))}
    bare_crm.call("POST", "ImportSolutionAsync", body)
    clock.advance(60)
    with bare.organisations["dev"].entered():
        assert "tl_customerkey" in tables()["account"].columns


def test_an_older_managed_solution_does_not_take_the_place_of_a_newer_one(bare_crm, clock):
    assert bring(bare_crm, clock, write_solution(solution(version="1.10.0.0")))[0] == 30
    code, result = bring(bare_crm, clock, write_solution(solution(version="1.9.0.0")))
    assert code == 31
    assert "installed in version 1.10.0.0, newer than 1.9.0.0" in result["ErrorMessages"][0]["Message"]
    assert bring(bare_crm, clock, write_solution(solution(version="1.10.0.0")))[0] == 30, (
        "the same once more is none"
    )
    installed = bare_crm.read("solutions?$filter=uniquename eq 'tagline_shop'&$select=version")["value"]
    assert [row["version"] for row in installed] == ["1.10.0.0"]


def test_over_an_unmanaged_solution_any_version_goes(bare_crm, clock):
    for version in ("1.10.0.0", "1.9.0.0"):
        assert bring(bare_crm, clock, write_solution(solution(is_managed=False, version=version)))[0] == 30
    installed = bare_crm.read("solutions?$filter=uniquename eq 'tagline_shop'&$select=version")["value"]
    assert [row["version"] for row in installed] == ["1.9.0.0"]


def test_an_unmanaged_solution_comes_once_the_managed_one_of_its_name_is_gone(crm, clock):
    """Every organisation starts with a managed one, as an environment does that was deployed to."""
    archive = write_solution(solution(name="tagline_order_to_cash", is_managed=False, keys={}, columns={}))
    code, result = bring(crm, clock, archive)
    assert (code, result["Status"]) == (31, "Failed")
    assert "is installed as managed already" in result["ErrorMessages"][0]["Message"]
    standing = crm.read("solutions?$filter=uniquename eq 'tagline_order_to_cash'")["value"][0]["solutionid"]
    assert crm.call("DELETE", f"solutions({standing})").status_code == 204
    assert bring(crm, clock, archive)[0] == 30


def test_a_role_reaches_as_far_as_its_solution_says(bare_crm, clock):
    bring(bare_crm, clock, write_solution(solution()))
    held = bare_crm.read(f"roleprivilegescollection?$filter=roleid eq {ROLE.id}")["value"]
    assert [one["privilegedepthmask"] for one in held] == [2]
    assert read_solution(write_solution(solution())).roles == [ROLE]


def test_a_role_with_a_level_that_nobody_knows_fails():
    archive = write_solution(solution())
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'level="Local"', b'level="Everywhere"'))
    with pytest.raises(SolutionFileError, match="level 'Everywhere'"):
        read_solution(changed.getvalue())
