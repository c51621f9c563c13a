"""Every parameter of every list finds what it is meant to find; blank and 0 mean that it is not set."""

import pytest

API = "https://shop-dev.sandbox.test/3dCartWebAPI/v2"


def every(http, resource):
    found, offset = [], 1
    while (answer := http.get(f"{API}/{resource}?limit=200&offset={offset}")).is_success:
        found += answer.json()
        offset += 200
    return found


@pytest.mark.parametrize(
    ("resource", "query", "is_meant"),
    [
        ("Orders", "invoiceprefix=ab-", lambda o: o["InvoiceNumberPrefix"] == "AB-"),
        ("Orders", "invoicenumberstart=41005", lambda o: o["InvoiceNumber"] >= 41005),
        ("Orders", "invoicenumberend=41005", lambda o: o["InvoiceNumber"] <= 41005),
        (
            "Orders",
            "InvoiceNumberStart=41003&invoicenumberend=41010&orderstatus=4",
            lambda o: 41003 <= o["InvoiceNumber"] <= 41010 and o["OrderStatusID"] == 4,
        ),
        ("Orders", "orderid=1001", lambda o: o["OrderID"] == 1001),
        ("Orders", "orderid=0&invoicenumber=&billingemail=", lambda o: True),
        (
            "Orders",
            "datestart=01/01/2024&dateend=12/31/2024 11:59:59",
            lambda o: "2024-01-01" <= o["OrderDate"] <= "2024-12-31T11:59:59",
        ),
        ("Products", "sku=cup-003", lambda p: p["SKUInfo"]["SKU"] == "CUP-003"),
        ("Products", "name=coffee", lambda p: "coffee" in p["SKUInfo"]["Name"]),
        ("Products", "costfrom=5&costto=9.5", lambda p: 5 <= p["SKUInfo"]["Cost"] <= 9.5),
        ("Products", "pricefrom=20", lambda p: p["SKUInfo"]["Price"] >= 20),
        ("Products", "stockfrom=-10&stockto=20", lambda p: -10 <= p["SKUInfo"]["Stock"] <= 20),
        ("Products", "onsale=1", lambda p: p["SKUInfo"]["OnSale"]),
        ("Products", "homespecial=true", lambda p: p["HomeSpecial"]),
        ("Products", "hide=0&nontax=", lambda p: True),
        ("Products", "lastupdatestart=07/01/2026 11:30:00", lambda p: True),
        ("Customers", "state=ga", lambda c: c["BillingState"] == "GA"),
        ("Customers", "firstname=ada&lastname=whitfield", lambda c: c["BillingFirstName"] == "Ada"),
        ("Customers", "phone=555-0103", lambda c: c["BillingPhoneNumber"] == "555-0103"),
        ("Categories", "category=tea", lambda c: "tea" in c["CategoryName"].lower()),
        ("Distributors", "company=coffee&state=CA", lambda d: d["State"] == "CA"),
        ("Manufacturers", "manufacturer=tin", lambda m: m["ManufacturerName"] == "Tinworks"),
        ("Products/skuinfo", "catalogid=104", lambda i: i["CatalogID"] == 104),
    ],
)
def test_a_parameter_finds_what_it_is_meant_to(shop, http, resource, query, is_meant):
    shop.place_history(60, 4)
    meant = [row for row in every(http, resource) if is_meant(row)]
    assert meant
    assert http.get(f"{API}/{resource}?limit=200&{query}").json() == meant
    assert http.get(f"{API}/{resource}?countonly=1&{query}").json() == {"TotalCount": len(meant)}


@pytest.mark.parametrize(
    "path",
    [
        "Products?pricefrom=dear",
        "Products?stockto=NaN",
        "Orders?orderstatus=new",
        "Orders?invoicenumber=AB-1",
        "Orders?datestart=2026-01-01",
        "Orders?lastupdatestart=01/01/2026 10:00:00",
        "Customers?lastupdateend=soon",
        "OrderStatus?limit=ten",
        "OrderStatus?offset=-1",
    ],
)
def test_a_parameter_that_cannot_be_read_is_400_and_named(http, path):
    answer = http.get(f"{API}/{path}")
    assert answer.status_code == 400
    assert path.partition("?")[2].partition("=")[0] in answer.json()[0]["Message"]


@pytest.mark.parametrize(
    "resource", ["Products", "Customers", "OrderStatus", "Webhooks/Events", "Categories"]
)
def test_a_list_has_ten_by_default_and_ends_with_400(http, resource):
    count = http.get(f"{API}/{resource}?countonly=1").json()["TotalCount"]
    assert len(http.get(f"{API}/{resource}").json()) == min(10, count)
    past = http.get(f"{API}/{resource}?offset={count + 1}")
    assert (past.status_code, "exceeds" in past.json()[0]["Message"]) == (400, True)
