"""Addresses below a row and of the service itself, as the vendor documents them."""

from xml.etree import ElementTree as ET

import pytest

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
ALPHA, PEOPLE = "accounts(tl_customerkey='a')", "contact_customer_accounts"


@pytest.fixture
def crm(crm):
    """Alpha with Ann, its primary contact, and Bob; Cid is nobody's."""
    crm.call("PATCH", ALPHA, {"name": "Alpha & Sons", "numberofemployees": 5})
    for last in ("Ann", "Bob", "Cid"):
        bind = {} if last == "Cid" else {"parentcustomerid_account@odata.bind": f"/{ALPHA}"}
        crm.call("PATCH", f"contacts(tl_customerkey='{last}')", {"lastname": last, **bind})
    crm.call("PATCH", ALPHA, {"primarycontactid@odata.bind": "/contacts(tl_customerkey='Ann')"})
    return crm


def id_of(crm, path):
    row = crm.read(f"{path}?$select=statecode")
    return row.get("contactid") or row["accountid"]


def people(crm):
    return {c["lastname"] for c in crm.read(f"{ALPHA}/{PEOPLE}?$select=lastname")["value"]}


def test_one_property_is_read_written_and_cleared(crm):
    account = id_of(crm, ALPHA)
    path = f"{ALPHA}/name"
    assert crm.read(path) == {
        "@odata.context": f"{crm.base}$metadata#accounts({account})/name",
        "value": "Alpha & Sons",
    }
    assert crm.call("PUT", path, {"value": "B"}).status_code == 204
    text = crm.call("GET", f"{path}/$value")
    assert (text.text, text.headers["content-type"]) == ("B", "text/plain")
    assert crm.call("DELETE", path).status_code == 204
    assert crm.call("GET", path).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "name", {"value": "x" * 200}, 400),
        ("PUT", "name", {"val": "x"}, 400),
        ("PUT", "numberofemployees", {"value": "many"}, 400),
        ("PUT", "nam", {"value": "x"}, 404),
        ("POST", "name", {"value": "x"}, 405),
        ("GET", "nam", None, 404),
        ("GET", "name/x", None, 404),
        ("GET", "primarycontactid/nam", None, 404),
        ("GET", f"{PEOPLE}/$nothing", None, 404),
        ("PUT", f"{PEOPLE}/$ref", {"@odata.id": "contacts(tl_customerkey='Cid')"}, 405),
        ("POST", f"{PEOPLE}/$ref", {"@odata.id": ALPHA}, 400),
        ("POST", f"{PEOPLE}/$ref", {"@odata.id": "contacts(tl_customerkey='none')"}, 404),
        ("POST", f"{PEOPLE}/$ref", {}, 400),
        ("DELETE", f"{PEOPLE}(tl_customerkey='Cid')/$ref", None, 404),
        ("DELETE", f"{PEOPLE}/$ref", None, 400),
    ],
)
def test_what_cannot_be_done_below_a_row(crm, method, path, body, status):
    assert crm.call(method, f"{ALPHA}/{path}", body).status_code == status


def test_a_stale_version_guards_a_property_too(crm):
    assert crm.call("PUT", f"{ALPHA}/name", {"value": "B"}, If_Match='W/"1"').status_code == 412


def test_lookups_lead_on_and_their_links_are_read_set_and_cleared(crm):
    ann, bob = (id_of(crm, f"contacts(tl_customerkey='{n}')") for n in ("Ann", "Bob"))
    path = f"{ALPHA}/primarycontactid"
    assert crm.read(f"{path}?$select=lastname")["lastname"] == "Ann"
    assert crm.read(f"{path}/parentcustomerid_account/name")["value"] == "Alpha & Sons"
    assert crm.read(f"{path}/$ref") == {
        "@odata.context": f"{crm.base}$metadata#$ref",
        "@odata.id": f"{crm.base}contacts({ann})",
    }
    assert crm.call("PUT", f"{path}/$ref", {"@odata.id": f"{crm.base}contacts({bob})"}).status_code == 204
    assert crm.read(path)["contactid"] == bob
    assert crm.call("DELETE", f"{path}/$ref").status_code == 204
    assert crm.call("GET", path).status_code == 204
    assert crm.call("GET", f"{path}/$ref").status_code == 204
    assert crm.call("GET", f"{path}/lastname").status_code == 404


def test_links_of_a_collection_are_listed_added_and_removed(crm):
    bob, cid = (id_of(crm, f"contacts(tl_customerkey='{n}')") for n in ("Bob", "Cid"))
    links = crm.read(f"{ALPHA}/{PEOPLE}/$ref")
    assert links["@odata.context"] == f"{crm.base}$metadata#Collection($ref)"
    assert all(set(link) == {"@odata.id"} for link in links["value"])
    assert f"{crm.base}contacts({bob})" in {link["@odata.id"] for link in links["value"]}
    add = crm.call("POST", f"{ALPHA}/{PEOPLE}/$ref", {"@odata.id": f"{crm.base}contacts({cid})"})
    assert (add.status_code, people(crm)) == (204, {"Ann", "Bob", "Cid"})
    assert crm.call("DELETE", f"{ALPHA}/{PEOPLE}({cid})/$ref").status_code == 204
    assert crm.call("DELETE", f"{ALPHA}/{PEOPLE}/$ref?$id={crm.base}contacts({bob})").status_code == 204
    assert people(crm) == {"Ann"}


def test_a_row_is_created_in_a_collection(crm):
    made = crm.call("POST", f"{ALPHA}/{PEOPLE}", {"lastname": "Eve"})
    assert made.status_code == 204
    assert made.headers["OData-EntityId"].startswith(f"{crm.base}contacts(")
    assert people(crm) == {"Ann", "Bob", "Eve"}


def test_a_member_of_a_collection_is_addressed_by_its_key(crm):
    bob = id_of(crm, "contacts(tl_customerkey='Bob')")
    assert crm.read(f"{ALPHA}/{PEOPLE}({bob})?$select=lastname")["lastname"] == "Bob"
    assert crm.read(f"{ALPHA}/{PEOPLE}({bob})/lastname")["value"] == "Bob"
    assert crm.call("GET", f"{ALPHA}/{PEOPLE}(tl_customerkey='Cid')").status_code == 404


def test_an_unchanged_row_is_not_sent_again(crm):
    tag = crm.call("GET", ALPHA).headers["etag"]
    unchanged = crm.call("GET", ALPHA, If_None_Match=tag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    expanded = crm.call("GET", f"{ALPHA}?$expand=primarycontactid", If_None_Match=tag)
    assert expanded.status_code == 200
    crm.call("PATCH", ALPHA, {"name": "Alpha & Sons"})
    assert crm.call("GET", ALPHA, If_None_Match=tag).status_code == 200
    assert crm.call("GET", ALPHA, If_None_Match="null").status_code == 200


def test_head_answers_without_a_body(crm):
    head = crm.call("HEAD", ALPHA)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == crm.call("GET", ALPHA).headers["etag"]
    assert crm.call("HEAD", "accounts(tl_customerkey='none')").status_code == 404


def test_list_options_do_not_fit_one_row(crm):
    assert crm.call("GET", f"{ALPHA}?$filter=name eq 'x'").status_code == 400


@pytest.mark.parametrize("path", ["", "?x=1"])
def test_the_service_document_lists_the_entity_sets(crm, path):
    body = crm.read(path)
    assert body["@odata.context"] == f"{crm.base}$metadata"
    assert {"name": "accounts", "kind": "EntitySet", "url": "accounts"} in body["value"]


def test_the_metadata_document_agrees_with_what_rows_hold(crm):
    answer = crm.call("GET", "$metadata")
    assert answer.headers["content-type"] == "application/xml"
    schema = ET.fromstring(answer.content)[0][0]
    types = {t.get("Name"): t for t in schema.iter(f"{EDM}EntityType")}
    properties = {p.get("Name") for p in types["account"].iter(f"{EDM}Property")}
    row = crm.read(ALPHA)
    assert {name for name in row if not name.startswith("@")} == properties
    navigation = {n.get("Name"): n.get("Type") for n in types["account"].iter(f"{EDM}NavigationProperty")}
    assert navigation["primarycontactid"] == "mscrm.contact"
    assert navigation[PEOPLE] == "Collection(mscrm.contact)"
    for one in schema.iter(f"{EDM}NavigationProperty"):
        assert one.get("Type").removeprefix("Collection(").rstrip(")").removeprefix("mscrm.") in types
    sets = {s.get("Name"): s.get("EntityType") for s in schema.iter(f"{EDM}EntitySet")}
    assert sets["salesorders"] == "mscrm.salesorder"
