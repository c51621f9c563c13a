from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors import json_values
from tagline.connectors.dataverse import Account, Contact, Product, SalesOrder, SalesOrderDetail
from tagline.connectors.dataverse.wire import (
    address,
    condition,
    fields_of,
    from_wire,
    is_addressable,
    is_of_key,
    select,
    to_wire,
)
from tagline.domain.model import ref
from tagline.errors import RecordError

GUID = "00000000-0000-0000-0000-00000000000a"


def travelled(model, given_fields):
    """What a remote that stores what it gets answers when it is read."""
    return json_values.parse(json_values.dump(to_wire(model, given_fields)))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(),
            "description": st.none() | st.text(),
            "freightamount": st.decimals(min_value=-(10**11), max_value=10**11, places=10),
            "tl_orderedon": st.datetimes(timezones=st.just(UTC)).map(lambda d: d.replace(microsecond=0)),
            "statuscode": st.integers(0, 100003),
        },
    )
)
def test_plain_values_come_back_as_they_were_sent(values):
    assert values == from_wire(SalesOrder, travelled(SalesOrder, values), list(values))


def text_of(quoted):
    """The text of a literal between its quotes."""
    inner = unquote(quoted).removeprefix("'").removesuffix("'")
    assert not inner.replace("''", "").count("'")
    return inner.replace("''", "'")


@given(st.text(min_size=1, max_size=100))
def test_any_text_survives_as_a_key_in_an_address_or_a_filter(text):
    key = (("tl_customerkey", text),)
    asked = condition(Account, key)
    assert asked.isascii()
    assert not set(asked) & set(" /?#&+<>*:\\\r\n")
    assert text_of(asked.removeprefix("tl_customerkey%20eq%20")) == text
    if not is_addressable(Account, key):
        with pytest.raises(RecordError):
            address(Account, key)
        return
    sent = address(Account, key)
    assert sent.isascii()
    assert not set(sent.removeprefix("accounts(tl_customerkey='").removesuffix("')")) & set(
        " '/?#&%+\r\n"
    ) - {"%"}
    assert text_of(sent.removeprefix("accounts(tl_customerkey=").removesuffix(")")) == text


@pytest.mark.parametrize(
    ("model", "key", "expected"),
    [
        (Account, (("accountid", GUID),), f"accounts({GUID})"),
        (Account, (("tl_customerkey", "o'b;c@x"),), "accounts(tl_customerkey='o%27%27b%3Bc%40x')"),
        (SalesOrder, (("a", 1), ("b", Decimal("2.50"))), "salesorders(a=1,b=2.50)"),
        (
            SalesOrder,
            (("customerid", ref(Account, accountid=GUID)),),
            f"salesorders(_customerid_value={GUID})",
        ),
        (SalesOrder, (("t", datetime(2026, 1, 2, tzinfo=UTC)),), "salesorders(t=2026-01-02T00%3A00%3A00Z)"),
    ],
    ids=["id", "text", "compound", "lookup", "time"],
)
def test_rows_are_addressed_by_key(model, key, expected):
    assert expected == address(model, key)


UNFIT = ["", None, True, 1.5, ref(Account, tl_customerkey="x"), "a/b", "a\ud800", "x" * 101]


@pytest.mark.parametrize("value", UNFIT, ids=lambda value: repr(value)[:40])
def test_a_value_that_can_be_no_key_is_refused(value):
    with pytest.raises(RecordError) as caught:
        address(Account, (("tl_customerkey", value),))
    assert caught.value.code == "key-not-addressable"


@pytest.mark.parametrize(
    ("found", "is_it"),
    [("a%b", True), ("A%B ", True), ("axb", False), ("a%b%", False), (None, False)],
    ids=["itself", "as-texts-compare", "matched", "longer", "nothing"],
)
def test_a_row_that_a_pattern_matched_is_not_the_row_of_the_key(found, is_it):
    assert is_of_key({"tl_customerkey": found}, (("tl_customerkey", "a%b"),)) is is_it


@pytest.mark.parametrize("value", ["new:1", "", f"{GUID})/x", None])
def test_an_id_that_is_no_guid_is_refused_and_not_repeated(value):
    with pytest.raises(RecordError, match="accountid is no GUID"):
        address(Account, (("accountid", value),))


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        (
            SalesOrder,
            {"customerid": ref(Contact, tl_customerkey="c;1")},
            {"customerid_contact@odata.bind": "/contacts(tl_customerkey='c%3B1')"},
        ),
        (SalesOrder, {"customerid": ref(Account, accountid=GUID)}, {"customerid_account@odata.bind": f"/accounts({GUID})"}),
        (SalesOrderDetail, {"productid": ref(Product, productnumber="A B")}, {"productid@odata.bind": "/products(productnumber='A%20B')"}),
        (SalesOrderDetail, {"productid": None}, {"productid@odata.bind": None}),
        (Contact, {"parentcustomerid": None}, {"parentcustomerid_account@odata.bind": None}),
        (SalesOrder, {"datefulfilled": date(2026, 1, 2)}, {"datefulfilled": "2026-01-02"}),
        (
            SalesOrder,
            {"tl_orderedon": datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=-5)))},
            {"tl_orderedon": "2026-01-02T08:00:00Z"},
        ),
        (SalesOrder, {"description": None, "statuscode": 1}, {"description": None, "statuscode": 1}),
    ],
    ids=["customer-contact", "customer-account", "lookup", "clear-lookup", "clear-customer", "day", "instant", "plain"],
)  # fmt: skip
def test_fields_become_members(model, fields, expected):
    assert expected == to_wire(model, fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tl_orderedon", datetime(2026, 1, 1)),  # noqa: DTZ001 - that it has no zone is the point
        ("freightamount", Decimal("Infinity")),
        ("customerid", "canary"),
        ("name", {"canary": 1}),
        ("unknown", 1),
    ],
)
def test_a_value_without_a_form_on_the_wire_is_named_without_itself(name, value):
    with pytest.raises(RecordError) as caught:
        to_wire(SalesOrder, {name: value})
    assert ("value-not-sendable", name) == (caught.value.code, caught.value.where["field"])
    assert "canary" not in str(caught.value)


def test_lookups_are_read_by_id_and_by_the_table_they_point_to():
    row = {
        "_customerid_value": GUID,
        "_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "contact",
        "_pricelevelid_value": None,
    }
    read = from_wire(SalesOrder, row, ["customerid", "pricelevelid"])
    assert {"customerid": ref(Contact, contactid=GUID), "pricelevelid": None} == read


def test_money_and_days_are_read_exactly():
    row = {"freightamount": Decimal("5.0000000000"), "datefulfilled": "2026-01-02", "totalamount": 7}
    read = from_wire(SalesOrder, row, ["freightamount", "datefulfilled", "totalamount", "description"])
    assert {
        "freightamount": Decimal(5),
        "datefulfilled": date(2026, 1, 2),
        "totalamount": Decimal(7),
        "description": None,
    } == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("freightamount", "canary"),
        ("freightamount", True),
        ("statecode", "canary"),
        ("name", 5),
        ("tl_orderedon", "2026-01-01T00:00:00"),
        ("tl_orderedon", 5),
    ],
)
def test_a_column_of_another_type_is_named_without_its_value(name, value):
    with pytest.raises(RecordError) as caught:
        from_wire(SalesOrder, {name: value}, [name])
    assert ("column-unexpected", name) == (caught.value.code, caught.value.where["field"])
    assert "canary" not in str(caught.value)


def test_a_selection_names_lookups_as_they_are_read_and_the_id_once():
    assert select(SalesOrder, ["name", "customerid", "salesorderid"]) == "salesorderid,name,_customerid_value"


def test_every_field_of_a_model_travels():
    assert set(fields_of(SalesOrder)) == set(SalesOrder.model_fields)
