"""Recorded traffic holds no person, no card and no secret, and the proof notices when it does."""

import base64
import json
from typing import ClassVar
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.dataverse.models import Account, SalesOrder
from tagline.connectors.shift4shop.models import Order, Product, Shipment
from tagline.domain.model import Model, Remote, column
from tagline.harness.pseudonyms import Pseudonyms, leaks, only_declared, rewriter

CARD = "4111 1111 1111 1111"


@given(st.text(min_size=1, max_size=40))
def test_a_pseudonym_is_stable_and_keeps_length_and_kind_of_text(value: str) -> None:
    pseudonyms = Pseudonyms(b"key")
    once, twice = pseudonyms.of(value), pseudonyms.of(value)
    assert once == twice
    if "@" not in value:
        assert len(once) == len(value)
        assert [c.isdigit() for c in once] == [c.isdigit() for c in value]


def test_an_email_keeps_its_plus_sign_and_gets_a_reserved_domain() -> None:
    replaced = Pseudonyms(b"key").of("jane+shop@real.test")
    assert replaced.endswith("@example.com")
    assert "+" in replaced
    assert "jane" not in replaced


def test_the_same_person_has_the_same_pseudonym_in_both_systems() -> None:
    rewrite = rewriter([Order, Account], Pseudonyms(b"key"))
    shop = rewrite({"BillingEmail": "jane@real.test", "CardNumber": CARD, "CustomerComments": "call Jane"})
    crm = rewrite({"value": [{"accountid": "1", "emailaddress1": "jane@real.test", "statecode": 0}]})
    assert shop["BillingEmail"] == crm["value"][0]["emailaddress1"]
    assert (crm["value"][0]["accountid"], crm["value"][0]["statecode"]) == ("1", 0)
    assert shop == {"BillingEmail": shop["BillingEmail"], "CustomerComments": ""}


def test_a_company_and_its_postcode_have_one_pseudonym_in_both_systems() -> None:
    rewrite = rewriter([Order, Shipment, Account, SalesOrder], Pseudonyms(b"key"))
    billing = {"BillingCompany": "Acme Inc", "BillingZipCode": "K1A 0B1"}
    shipment = {"ShipmentID": 0, "ShipmentCompany": "Acme Inc", "ShipmentZipCode": "K1A 0B1"}
    shop = rewrite({"OrderID": 1, **billing, "ShipmentList": [shipment]})
    account = rewrite({"accountid": "1", "name": "Acme Inc", "address1_postalcode": "K1A 0B1"})
    order = rewrite({"salesorderid": "2", "billto_postalcode": "K1A 0B1", "shipto_postalcode": "K1A 0B1"})
    assert {
        shop["BillingCompany"],
        shop["ShipmentList"][0]["ShipmentCompany"],
        account["name"],
    } == {shop["BillingCompany"]} - {"Acme Inc"}
    assert {
        shop["BillingZipCode"],
        shop["ShipmentList"][0]["ShipmentZipCode"],
        account["address1_postalcode"],
        order["billto_postalcode"],
        order["shipto_postalcode"],
    } == {shop["BillingZipCode"]} - {"K1A 0B1"}


def test_a_name_is_a_pseudonym_where_it_may_be_a_customers_and_kept_where_it_names_a_thing() -> None:
    rewrite = rewriter([Account, SalesOrder], Pseudonyms(b"key"))
    assert rewrite({"salesorderid": "1", "name": "3dcart order AB-1"})["name"] == "3dcart order AB-1"
    assert rewrite({"accountid": "1", "name": "Jane Doe"})["name"] != "Jane Doe"
    assert rewrite({"name": "Jane Doe"})["name"] != "Jane Doe"


def test_fields_that_no_model_declares_are_dropped_at_every_depth() -> None:
    raw = {"OrderID": 1, "IP": "10.0.0.1", "OrderItemList": [{"ItemID": "A", "ItemSerial": "s"}]}
    assert only_declared(raw, Order) == {"OrderID": 1, "OrderItemList": [{"ItemID": "A"}]}


def test_a_product_keeps_its_form_and_nothing_but_declared_fields() -> None:
    """The shop nests what our model has side by side with the rest."""
    raw = {"SKUInfo": {"CatalogID": 1, "Name": "Cup", "Secret": "x"}, "MFGID": "m", "Unknown": 1}
    assert only_declared(raw, Product) == {"SKUInfo": {"CatalogID": 1, "Name": "Cup"}, "MFGID": "m"}


def test_the_fields_of_a_product_are_a_things_though_they_stand_in_two_objects() -> None:
    """What stands beside the key of a product is no person's, whatever another model calls by the same name."""

    class Person(Model):
        remote: ClassVar[Remote] = Remote("shift4shop", "Person", "People", "PersonID")
        MFGID: str = column(personal=True, default="")

    rewrite = rewriter([Product, Person], Pseudonyms(b"key"))
    assert rewrite({"SKUInfo": {"CatalogID": 1}, "MFGID": "part"})["MFGID"] == "part"
    assert rewrite({"MFGID": "person"})["MFGID"] != "person"


@pytest.mark.parametrize("code", ["4006381300063", "0000000000018", "10614141000071"])
def test_the_bar_code_of_an_article_is_no_card(code: str) -> None:
    assert leaks(f'"GTIN": "{code}"', secrets=(), originals=()) == []


@pytest.mark.parametrize(
    "text",
    [
        "hunter2hunter2",
        quote("hunter2 hunter2", safe=""),
        json.dumps("Grünewald"),
        base64.b64encode(b"x:hunter2hunter2y").decode(),
        CARD,
        "someone@real.test",
        "Authorization: Bearer abcdefghijkl",
    ],
)
def test_the_proof_notices_what_must_not_be_kept(text: str) -> None:
    found = leaks(text, secrets=["hunter2hunter2", "hunter2 hunter2"], originals=["Grünewald"])
    assert found
    for value in ("hunter2", "Grünewald", "4111"):
        assert value not in " ".join(found)


@pytest.mark.parametrize("text", ["5550100", '"5550100"', base64.b64encode(b"x5550100y").decode()])
def test_the_proof_notices_a_phone_number_of_digits_alone(text: str) -> None:
    assert leaks(text, secrets=(), originals=[" 5550100 "])


@pytest.mark.parametrize(
    ("original", "text"), [("5550100", "15550100"), ("123456", "123456"), ("Anna", "Anna")]
)
def test_the_proof_leaves_out_what_stands_anywhere_by_chance(original: str, text: str) -> None:
    assert leaks(text, secrets=(), originals=[original]) == []


def test_the_proof_is_silent_on_clean_text() -> None:
    text = '{"OrderID": 1042, "BillingEmail": "qwer+ty@example.com", "id": "11111111-1111-1111-1111-111111111111"}'
    assert leaks(text, secrets=["s3cret-value"], originals=["Jane Doe"]) == []
