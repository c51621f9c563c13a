"""The shop as a client meets it that was written from the vendor's documentation: plain httpx, no code of ours."""

import base64
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest

from tagline.sandbox.catalogue import PRODUCTS
from tagline.sandbox.shop_xml import from_xml
from tagline.sandbox.shoppers import Draft, Line, registered

API = "https://shop-dev.sandbox.test/3dCartWebAPI/v1"
SITE = "https://shop-dev.sandbox.test"


def new_customer(http):
    body = {
        "Email": "ines@example.com",
        "Password": "secret",
        "BillingFirstName": "Inês",
        "BillingLastName": "Duarte",
        "BillingAddress1": "4 Quay",
        "Enabled": 1,
    }
    answer = http.post(f"{API}/Customers", json=body)
    assert answer.status_code == 201
    assert answer.json()[0]["Message"] == "Created successfully"
    return answer.json()[0]["Value"]


def new_order(http, customer, query="", **changes):
    body = {
        "InvoiceNumberPrefix": "WEB-",
        "CustomerID": customer,
        "BillingFirstName": "Inês",
        "BillingPaymentMethodID": "49",
        "OrderItemList": [
            {"CatalogID": 150, "ItemQuantity": 2, "ItemOptions": ",1500,1506"},
            {"CatalogID": "104", "ItemQuantity": 1, "ItemUnitPrice": "10.50"},
        ],
        "ShipmentList": [{"ShipmentCost": 4.5, "ShipmentCity": "Porto"}],
        "SalesTax": 1.25,
        "OrderDiscountPromotion": 3,
        **changes,
    }
    return http.post(f"{API}/Orders{query}", json=[body])


def test_an_order_goes_all_the_way_from_customer_to_shipped(http):
    created = new_order(http, new_customer(http))
    assert created.status_code == 201
    assert set(created.json()[0]) == {"Key", "Value", "Status", "Message"}
    address = f"{API}/Orders/{created.json()[0]['Value']}"
    (order,) = http.get(address).json()
    first, second = order["OrderItemList"]
    assert (first["ItemID"], first["ItemUnitPrice"], second["ItemUnitPrice"]) == (
        "APR-001-S-NAV",
        34.0,
        10.5,
    )
    assert order["OrderAmount"] == 2 * 34.0 + 10.5 + 4.5 + 1.25 - 3
    assert order["OrderDiscount"] == 3.0
    assert [s["ShipmentID"] for s in order["ShipmentList"]] == [0]
    sent = {"ShipmentTrackingCode": "1Z 999", "ShipmentOrderStatus": 4, "ShipmentShippedDate": "07/01/2026"}
    assert http.put(f"{address}/Shipments/0", json=sent).status_code == 200
    (order,) = http.get(address).json()
    assert (order["OrderStatusID"], order["ShipmentList"][0]["ShipmentTrackingCode"].strip()) == (4, "1Z 999")


def test_items_shipments_transactions_and_questions_are_added_and_changed(http):
    number = new_order(http, new_customer(http)).json()[0]["Value"]
    address = f"{API}/Orders/{number}"
    before = http.get(address).json()[0]["OrderAmount"]
    added = http.post(f"{address}/Items", json={"CatalogID": 190, "ItemQuantity": 1})
    assert (added.status_code, added.json()[0]["Key"]) == (201, "ItemIndexID")
    assert http.get(address).json()[0]["OrderAmount"] == pytest.approx(before + 24.9)
    item = added.json()[0]["Value"]
    assert http.put(f"{address}/Items/{item}", json={"ItemQuantity": 3}).status_code == 200
    assert http.get(address).json()[0]["OrderAmount"] == pytest.approx(before + 74.7)
    shipment = http.post(f"{address}/Shipments", json={"ShipmentCost": 2}).json()[0]["Value"]
    moved = http.put(f"{address}/Items", json=[{"CatalogID": 190, "ItemShipmentID": shipment}])
    assert moved.status_code == 200
    payment = {"TransactionType": "Sale", "TransactionAmount": 20, "TransactionMethod": "Manual"}
    assert http.post(f"{address}/Transactions", json=payment).status_code == 201
    asked = {"QuestionTitle": "Gift?", "QuestionAnswer": "Yes", "QuestionType": "Checkbox"}
    assert http.post(f"{address}/Questions", json=asked).status_code == 201
    (order,) = http.get(address).json()
    assert order["OrderItemList"][2]["ItemShipmentID"] == order["ShipmentList"][1]["ShipmentID"]
    assert order["OrderAmount"] == pytest.approx(before + 76.7)
    assert order["QuestionList"][0]["OrderID"] == order["TransactionList"][0]["OrderID"] == int(number)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"CustomerID": None}, "CustomerID is required"),
        ({"CustomerID": 77}, "CustomerID 77 does not exist"),
        ({"BillingPaymentMethodID": ""}, "BillingPaymentMethodID is required"),
        ({"OrderItemList": []}, "OrderItemList is required"),
        ({"OrderItemList": [{"CatalogID": 9}]}, "CatalogID 9 does not exist"),
        ({"OrderItemList": "none"}, "OrderItemList is not a list"),
        ({"OrderStatusID": 20}, "OrderStatusID is not a status"),
        ({"OrderDate": "yesterday"}, "OrderDate is not a date"),
    ],
)
def test_an_order_that_lacks_or_garbles_something_is_refused_by_name(http, change, said):
    answer = new_order(http, "0", **change)
    assert (answer.status_code, answer.json()[0]["Message"]) == (400, said)
    assert http.get(f"{API}/Orders").status_code == 404


def test_a_checkout_takes_stock_a_cancel_returns_it_and_an_import_leaves_it(http):
    def levels():
        (product,) = http.get(f"{API}/Products/150").json()
        variants = {v["AdvancedOptionSufix"]: v["AdvancedOptionStock"] for v in product["AdvancedOptionList"]}
        return product["SKUInfo"]["Stock"], variants["APR-001-S-NAV"]

    stock, variant = levels()
    number = new_order(http, "0").json()[0]["Value"]
    assert levels() == (stock - 2, variant - 2)
    item = http.get(f"{API}/Orders/{number}/Items").json()[0]
    assert item["ItemUnitStock"] == int(stock - 2)
    http.put(f"{API}/Orders/{number}", json={"OrderStatusID": 5})
    assert levels() == (stock, variant)
    new_order(http, "0", "?bypassorderprocessing=1&bypassorderemail=1")
    assert levels() == (stock, variant)


def test_stock_is_written_to_products_in_bulk_and_to_variants_by_code(http):
    sent = [
        {"SKUInfo": {"CatalogID": 100, "Stock": 12.5}},
        {"SKUInfo": {"CatalogID": "101", "Stock": "-3"}},
        {"SKUInfo": {"CatalogID": 7, "Stock": 1}},
    ]
    answer = http.put(f"{API}/Products", json=sent)
    assert [answer.status_code, *(r["Status"] for r in answer.json())] == [206, "200", "200", "404"]
    info = http.get(f"{API}/Products/100/skuinfo").json()[0]
    assert (info["Stock"], info["Name"]) == (12.5, "Assam loose leaf tea")
    codes = [v["AdvancedOptionCode"] for v in http.get(f"{API}/Products/150/AdvancedOptions").json()]
    assert codes[:2] == ["1500-1505", "1500-1506"]
    assert http.put(
        f"{API}/Products/150/AdvancedOptions/1500-1505", json={"AdvancedOptionStock": 9}
    ).is_success
    both = [{"AdvancedOptionCode": codes[1], "AdvancedOptionStock": 8}, {"AdvancedOptionCode": "none"}]
    assert http.put(f"{API}/Products/150/AdvancedOptions", json=both).status_code == 206
    stocks = [v["AdvancedOptionStock"] for v in http.get(f"{API}/Products/150/AdvancedOptions").json()]
    assert stocks[:2] == [9, 8]


def test_products_are_created_found_listed_by_owner_and_deleted(http):
    body = {
        "SKUInfo": {"SKU": "HON-001", "Name": "Heather honey", "Price": 8.95, "Stock": 40},
        "ManufacturerID": 2,
        "CategoryList": [{"CategoryID": 6}],
        "FeatureList": [{"FeatureTitle": "Raw"}],
    }
    key = http.post(f"{API}/Products", json=body).json()[0]["Value"]
    for where in ("Categories/6", "Manufacturers/2"):
        found = http.get(f"{API}/{where}/Products?sku=hon-001").json()
        assert [str(p["SKUInfo"]["CatalogID"]) for p in found] == [key]
    assert http.get(f"{API}/Products?name=honey&pricefrom=8&priceto=9&countonly=1").json() == {
        "TotalCount": 1
    }
    assert http.get(f"{API}/Products?onsale=1").json()[0]["SKUInfo"]["OnSale"] is True
    assert http.get(f"{API}/Products/{key}/Features").json()[0]["FeatureTitle"] == "Raw"
    assert http.delete(f"{API}/Products/{key}").json()[0]["Status"] == "200"
    assert http.get(f"{API}/Products/{key}").status_code == 404
    assert len(http.get(f"{API}/Products?limit=500").json()) == 43
    assert http.post(f"{API}/Products", json={"SKUInfo": {"Name": "No number"}}).status_code == 400


def test_skuinfo_is_the_cheap_way_to_read_stock(http):
    found = http.get(f"{API}/Products/skuinfo?sku=TBC-001").json()
    assert [list(found[0]), found[0]["CatalogID"]] == [
        [
            "CatalogID",
            "SKU",
            "Name",
            "Cost",
            "Price",
            "Currency",
            "RetailPrice",
            "SalePrice",
            "OnSale",
            "Stock",
        ],
        151,
    ]
    assert http.get(f"{API}/Products/skuinfo?countonly=1").json() == {"TotalCount": 43}


def test_a_variant_is_named_up_to_the_first_quote(http):
    (product,) = http.get(f"{API}/Products/151").json()
    assert {v["AdvancedOptionName"] for v in product["AdvancedOptionList"]} == {"60", "84"}
    assert product["OptionSetList"][0]["OptionList"][0]["OptionName"] == '60" long'


def test_customers_hide_their_password_and_keep_their_address_to_themselves(http):
    key = new_customer(http)
    (customer,) = http.get(f"{API}/Customers/{key}").json()
    assert len(customer["Password"]) == 32
    assert (customer["Enabled"], customer["BillingTaxID"]) == (True, None)
    assert "LastUpdate" not in customer
    second = http.post(f"{API}/Customers", json={"Email": "INES@example.com"})
    assert (second.status_code, second.json()[0]["Message"]) == (400, "Email is in use")
    assert http.put(f"{API}/Customers", json=[{"CustomerID": key, "BillingCity": "Porto"}]).status_code == 200
    assert (
        http.get(f"{API}/Customers?email=ines@example.com&city=porto").json()[0]["Password"]
        == customer["Password"]
    )
    assert http.get(f"{API}/Customers?lastupdatestart=07/01/2026 11:30:00&email=ines@example.com").is_success
    assert http.put(f"{API}/Customers/{key}", json={"CustomerGroupID": 3}).is_success
    assert [str(c["CustomerID"]) for c in http.get(f"{API}/CustomerGroups/3/Customers").json()] == [key]
    assert http.delete(f"{API}/Customers/{key}").is_success
    assert http.put(f"{API}/Customers/{key}", json={}).status_code == 404


@pytest.mark.parametrize(
    ("resource", "key", "field"),
    [
        ("CustomerGroups", "CustomerGroupID", "Name"),
        ("Categories", "CategoryID", "CategoryName"),
        ("Manufacturers", "ManufacturerID", "ManufacturerName"),
        ("Distributors", "DistributorID", "CompanyName"),
    ],
)
def test_small_resources_are_written_and_read(http, resource, key, field):
    made = http.post(f"{API}/{resource}", json={field: "Ærø & Co"})
    assert (made.status_code, made.json()[0]["Key"]) == (201, key)
    address = f"{API}/{resource}/{made.json()[0]['Value']}"
    assert http.put(address, json={field.lower(): "Fanø"}).is_success
    assert http.get(address).json()[0][field] == "Fanø"
    assert http.delete(address).is_success
    assert http.get(address).status_code == 404
    assert http.post(f"{API}/{resource}", json={}).json()[0]["Message"] == f"{field} is required"


def test_xml_is_read_and_written_as_the_headers_say(http):
    number = new_order(http, "0").json()[0]["Value"]
    page = http.get(f"{API}/Orders/{number}", headers={"Accept": "application/xml"})
    assert page.headers["content-type"].startswith("application/xml")
    order = ET.fromstring(page.content)[0]
    assert order.findtext("OrderItemList/OrderItem/ItemQuantity") == "2.0"
    body = "<Order><ExternalComments>von Hand &amp; schnell</ExternalComments></Order>"
    changed = http.put(
        f"{API}/Orders/{number}",
        content=body.encode(),
        headers={"Content-Type": "text/xml", "Accept": "text/xml"},
    )
    assert ET.fromstring(changed.content).findtext("Result/Status") == "200"
    assert http.get(f"{API}/Orders/{number}").json()[0]["ExternalComments"] == "von Hand & schnell"
    hostile = b'<!DOCTYPE x [<!ENTITY a "b">]><Order/>'
    refused = http.put(f"{API}/Orders/{number}", content=hostile, headers={"Content-Type": "text/xml"})
    assert refused.status_code == 400
    order.find("ExternalComments").text = "all of it"
    whole = http.put(f"{API}/Orders", content=ET.tostring(order), headers={"Content-Type": "application/xml"})
    assert whole.status_code == 200
    assert http.get(f"{API}/Orders/{number}").json()[0]["ExternalComments"] == "all of it"


def test_select_and_orderby_see_the_fetched_page_alone(http, shop):
    ids = shop.place_orders(6, 3)
    rows = http.get(
        f"{API}/Orders?limit=4&$select=orderid,OrderAmount&$orderby=OrderAmount desc,OrderID"
    ).json()
    assert {row["OrderID"] for row in rows} == set(ids[:4])
    assert [list(row) for row in rows] == [["OrderID", "OrderAmount"]] * 4
    assert rows == sorted(rows, key=lambda r: -r["OrderAmount"])
    by_price = http.get(f"{API}/Products?$orderby=SKUInfo/Price").json()
    assert [p["SKUInfo"]["Price"] for p in by_price] == sorted(p["SKUInfo"]["Price"] for p in by_price)
    assert http.get(f"{API}/Orders?$select=Total").status_code == 400
    assert http.get(f"{API}/Orders?$orderby=Total").status_code == 400


def test_an_app_gets_a_bearer_token_that_is_enough_alone(visitor, shop):
    app = shop.app
    query = {
        "client_id": app.client_id,
        "redirect_uri": "https://app.example/back",
        "state": "s1",
        "response_type": "code",
        "store_url": "",
    }
    consent = visitor.get(f"{SITE}/oauth/authorize", params=query)
    target = urlsplit(consent.headers["location"])
    given = parse_qs(target.query)
    assert (consent.status_code, target.netloc, given["state"]) == (302, "app.example", ["s1"])
    form = {"code": given["code"][0], "grant_type": "authorization_code"}
    keys = {"client_id": app.client_id, "client_secret": app.client_secret}
    token = visitor.post(f"{SITE}/oauth/token", data={**form, **keys}).json()
    assert set(token) == {"access_token", "token_type", "user_id"}
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert visitor.get(f"{API}/OrderStatus", headers=headers).status_code == 200
    assert visitor.get(f"{API}/OrderStatus", headers={"Authorization": "Bearer x"}).status_code == 401
    again = visitor.post(f"{SITE}/oauth/token", data={**form, **keys})
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    other = parse_qs(urlsplit(visitor.get(f"{SITE}/oauth/authorize", params=query).headers["location"]).query)
    basic = base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
    by_basic = visitor.post(
        f"{SITE}/oauth/token",
        data={**form, "code": other["code"][0]},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert by_basic.status_code == 200
    wrong = visitor.post(f"{SITE}/oauth/token", data={**form, **keys, "client_secret": "no"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})


def test_what_an_app_may_not_do_is_401(visitor, shop):
    token = shop.grant(frozenset({"orders:read"}))
    shop.place_orders(1, 1)
    headers = {"Authorization": f"Bearer {token}"}
    assert visitor.get(f"{API}/Orders", headers=headers).status_code == 200
    assert visitor.put(f"{API}/Orders/1001", json={}, headers=headers).status_code == 401
    assert visitor.get(f"{API}/Products", headers=headers).status_code == 401
    shop.access.revoke(token)
    assert visitor.get(f"{API}/Orders", headers=headers).status_code == 401


def test_a_refused_method_and_an_error_page(http, shop):
    answer = http.delete(f"{API}/Orders/1")
    assert (answer.status_code, "DELETE" in answer.json()["Message"]) == (405, True)
    http.post(f"{SITE}/_sandbox/faults", json={"next": ["unavailable"]})
    page = http.get(f"{API}/Orders")
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html")
    assert httpx.codes.is_server_error(page.status_code)


def test_a_script_lets_the_shop_have_a_past_and_its_webhooks_go_astray(http, shop):
    control = f"{SITE}/_sandbox"
    told = http.post(f"{control}/history", json={"count": 30, "seed": 2}).json()
    assert told == {"first": min(shop.orders), "last": max(shop.orders)}
    assert http.post(f"{control}/mishaps", json={"lost": 1, "late": 0.5}).status_code == 200
    assert (shop.webhooks.mishaps.lost, shop.webhooks.mishaps.late) == (1.0, 0.5)
    assert http.post(f"{control}/mishaps", json={"lost": 2}).status_code == 400
    assert http.post(f"{control}/mishaps", json={}).status_code == 400


def test_an_element_of_a_bulk_put_that_does_not_say_what_it_is_about_fails_alone(http):
    sent = [{"SKUInfo": {"CatalogID": 100, "Stock": 1}}, {"Title": "x"}, {"SKUInfo": {"CatalogID": "ten"}}]
    answer = http.put(f"{API}/Products", json=sent)
    assert [answer.status_code, *(r["Status"] for r in answer.json())] == [206, "200", "400", "400"]
    assert answer.json()[1]["Message"] == "CatalogID is required"


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"client_id": "nobody"}, 400, "invalid_client"),
        ({"redirect_uri": "http://elsewhere.example/"}, 400, "invalid_request"),
        ({"response_type": "token"}, 302, "unsupported_response_type"),
    ],
)
def test_a_consent_that_cannot_be_given_says_why(visitor, shop, change, status, said):
    query = {
        "client_id": shop.app.client_id,
        "redirect_uri": "https://app.example/back?tab=1",
        "response_type": "code",
        **change,
    }
    answer = visitor.get(f"{SITE}/oauth/authorize", params=query)
    assert answer.status_code == status
    assert said in answer.headers.get("location", answer.text)
    assert visitor.put(f"{SITE}/oauth/token").status_code == 405


def test_of_a_bundle_the_parts_leave_the_shelf_and_not_the_row_with_the_price(http, shop):
    tea, cup, tin = PRODUCTS[1], PRODUCTS[24], PRODUCTS[31]
    keys = (tea.catalog_id, cup.catalog_id, tin.catalog_id)

    def stocks():
        return [http.get(f"{API}/Products/{key}/skuinfo").json()[0]["Stock"] for key in keys]

    before = stocks()
    shop.place_order(Draft(registered(1), (Line(tea, 2, bundle_of=(cup, tin)),)))
    assert [was - now for was, now in zip(before, stocks(), strict=True)] == [0, 2, 2]


def test_a_last_day_counts_whole_for_orders_and_not_at_all_for_changes(http, shop):
    (number,) = shop.place_orders(1, 1)
    assert [o["OrderID"] for o in http.get(f"{API}/Orders?dateend=07/01/2026").json()] == [number]
    assert http.get(f"{API}/Orders?lastupdateend=07/01/2026").status_code == 404
    assert http.get(f"{API}/Orders?lastupdateend=07/02/2026").status_code == 200


def test_the_put_of_a_product_adds_what_it_belongs_to_and_nothing_that_the_shop_numbers(http):
    body = {"CategoryList": [{"CategoryID": 7}], "ImageGalleryList": [{"ImageGalleryFile": "a.jpg"}]}
    assert http.put(f"{API}/Products/100", json=body).is_success
    (product,) = http.get(f"{API}/Products/100").json()
    assert [c["CategoryID"] for c in product["CategoryList"]] == [1, 2, 7]
    assert product["ImageGalleryList"] == []
    assert http.post(f"{API}/Products/100/Images", json={"ImageGalleryFile": "a.jpg"}).status_code == 201
    assert http.get(f"{API}/Products/100/Images").json()[0]["ImageGalleryFile"] == "a.jpg"


def test_a_key_is_not_changed_by_the_body(http):
    address = f"{API}/Products/150/AdvancedOptions/1500-1505"
    assert http.put(address, json={"AdvancedOptionCode": "x", "AdvancedOptionStock": 3}).is_success
    first = http.get(f"{API}/Products/150/AdvancedOptions").json()[0]
    assert (first["AdvancedOptionCode"], first["AdvancedOptionStock"]) == ("1500-1505", 3)


def test_half_a_character_in_a_key_is_told_back_as_a_question_mark(http):
    answer = http.put(
        f"{API}/Orders/{new_order(http, new_customer(http)).json()[0]['Value']}/Items",
        content=b'{"ItemIndexID": "\\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()[0]["Value"], answer.json()[0]["Status"]) == (400, "?", "404")


def test_a_status_for_a_shipment_0_that_is_not_there_changes_nothing(http):
    two = [{"ShipmentCity": "Porto", "ShipmentOrderStatus": 3}, {"ShipmentCity": "Braga"}]
    number = new_order(http, new_customer(http), ShipmentList=two).json()[0]["Value"]
    (order,) = http.get(f"{API}/Orders/{number}").json()
    assert [s["ShipmentOrderStatus"] for s in order["ShipmentList"]] == [3, 1]
    body = {"ShipmentList": [{"ShipmentID": 0, "ShipmentOrderStatus": 99}]}
    http.put(f"{API}/Orders/{number}", json=body)
    assert http.get(f"{API}/Orders/{number}").json()[0]["OrderStatusID"] == 1


def test_xml_that_is_nested_too_deeply_is_refused_before_it_is_built(http):
    """Ten million elements inside each other would hold up every other client for seconds."""
    unending = b"<a>" * 100_000
    with pytest.raises(ValueError, match="nested too deeply"):
        from_xml(unending)
    answer = http.put(f"{API}/Orders", content=unending, headers={"Content-Type": "text/xml"})
    assert (answer.status_code, answer.json()[0]["Message"]) == (400, "The request body is not XML")


@pytest.mark.parametrize(("form", "status"), [("xml", 201), ("", 201), ("YAML", 400)])
def test_a_webhook_is_json_or_xml(http, form, status):
    hook = {"Name": "n", "Url": "https://x.test/", "EventType": 1, "Enabled": True, "Format": form}
    answer = http.post(f"{API}/Webhooks", json=hook)
    assert answer.status_code == status
    if status == 201:
        own = f"{API}/Webhooks/{answer.json()[0]['Value']}"
        assert http.put(own, json={"Format": "CSV"}).json()[0]["Message"] == "Format is JSON or XML"
        assert http.put(own, json={"Format": "json"}).status_code == 200
        assert http.get(own).json()[0]["Format"] == "JSON"


def test_the_number_of_a_deleted_record_is_nobody_elses(http):
    """Whoever keys on it would take the new one for the old one."""
    highest = max(row["CategoryID"] for row in http.get(f"{API}/Categories").json())
    http.delete(f"{API}/Categories/{highest}")
    made = http.post(f"{API}/Categories", json={"CategoryName": "New"}).json()[0]["Value"]
    assert int(made) > highest


def test_a_card_that_is_sent_is_shown_and_kept_masked(http, shop):
    card = {"CardNumber": "4111 1111 1111 1234", "CardVerification": "987"}
    number = new_order(http, 0, **card).json()[0]["Value"]
    (order,) = http.get(f"{API}/Orders/{number}").json()
    assert order["CardNumber"] == "XXXX-XXXX-XXXX-1234"
    http.put(f"{API}/Orders/{number}", json=order)
    assert http.get(f"{API}/Orders/{number}").json()[0]["CardNumber"] == order["CardNumber"]
    kept = repr(list(shop.state.kept()))
    assert "4111" not in kept
    assert "'987'" not in kept
