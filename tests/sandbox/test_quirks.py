"""Every quirk of organisation, Finance and login changes an answer when it is turned over the wire: no switch is dead."""

import base64
import json
import uuid
from dataclasses import fields
from functools import cached_property

import httpx
import pytest

from tagline.sandbox import assumptions
from tagline.sandbox.conformance import TABLE
from tagline.sandbox.dataverse_founding import USER_ID, platform_id, put_role
from tagline.sandbox.dataverse_protection import Limits
from tagline.sandbox.dataverse_quirks import OrganisationQuirks
from tagline.sandbox.dataverse_rights import Depth
from tagline.sandbox.dataverse_solution_file import SolutionFile, write_solution
from tagline.sandbox.finance_quirks import FinanceQuirks
from tagline.sandbox.finance_screens import confirm_sales_order
from tagline.sandbox.login_quirks import LoginQuirks
from tagline.sandbox.shop_quirks import ShopQuirks

KEYS = "EntityDefinitions(LogicalName='account')/Keys"
TRACK = "odata.track-changes"
ORDER = "salesorders(tl_orderkey='o')"
URL = "https://agent.test/hooks/x"


class Lab:
    """One sandbox and what a probe needs of it."""

    def __init__(self, sandbox, client, clock, connect_crm, connect_finance):
        self.sandbox, self.client, self.clock = sandbox, client, clock
        self._connect_crm, self._connect_finance = connect_crm, connect_finance
        self.organisation, self.erp = sandbox.organisations["dev"], sandbox.finance["dev"]

    @cached_property
    def crm(self):
        return self._connect_crm(self.sandbox, self.client)

    @cached_property
    def finance(self):
        return self._connect_finance(self.sandbox, self.client)

    def order(self, key="o", **changes):
        account = self.crm.read("accounts?$select=name&$top=1")["value"][0]["accountid"]
        body = {
            "name": "order",
            "customerid_account@odata.bind": f"/accounts({account})",
            "pricelevelid@odata.bind": "/pricelevels(name='Web')",
            **changes,
        }
        kept = {name: value for name, value in body.items() if value is not ...}
        answer = self.crm.call("PATCH", f"salesorders(tl_orderkey='{key}')", kept)
        assert answer.status_code == 204, answer.text

    def line(self, **changes):
        body = {
            "salesorderid@odata.bind": f"/{ORDER}",
            "productid@odata.bind": "/products(productnumber='TEA-001')",
            "uomid@odata.bind": "/uoms(name='Primary Unit')",
            "quantity": 1,
            "ispriceoverridden": True,
            "priceperunit": 10,
            **changes,
        }
        kept = {name: value for name, value in body.items() if value is not ...}
        return self.crm.call("PATCH", "salesorderdetails(tl_linekey='l')", kept)

    def convert(self):
        order_id = self.crm.read(ORDER)["salesorderid"]
        body = {"SalesOrderId": order_id, "ColumnSet": {"AllColumns": True}}
        return self.crm.call("POST", "ConvertSalesOrderToInvoice", body).json()

    def role(self, depth, *privileges):
        role_id = platform_id("role", "narrow")
        with self.organisation.entered():
            held = dict.fromkeys(privileges, depth)
            put_role(self.organisation.rows, role_id, "narrow", held, is_managed=False)
        self.organisation.set_roles(USER_ID, "narrow")

    def step(self, mode):
        """Register for updates of accounts."""
        endpoint = {"name": "h", "url": URL, "contract": 8, "authtype": 4, "authvalue": "s"}
        made = self.crm.call("POST", "serviceendpoints", endpoint).headers["OData-EntityId"]
        (found,) = self.crm.read(
            "sdkmessagefilters?$select=_sdkmessageid_value&$filter=primaryobjecttypecode eq 'account' "
            "and sdkmessageid/name eq 'Update'"
        )["value"]
        body = {
            "name": "h",
            "eventhandler_serviceendpoint@odata.bind": made,
            "sdkmessageid@odata.bind": f"/sdkmessages({found['_sdkmessageid_value']})",
            "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})",
            "stage": 40,
            "mode": mode,
            "rank": 1,
            "supporteddeployment": 0,
        }
        assert self.crm.call("POST", "sdkmessageprocessingsteps", body).status_code == 204

    def account(self, **changes):
        answer = self.crm.call("PATCH", "accounts(tl_customerkey='k')", {"name": "A", **changes})
        assert answer.status_code == 204, answer.text
        return self.crm.read("accounts(tl_customerkey='k')")

    def bring(self, version, *, managed=True, solution="new"):
        """Import a solution; the status of the job some time after."""
        made = SolutionFile(solution, version, managed, "tagline", "tl", 13704, {}, {}, [])
        body = {"CustomizationFile": base64.b64encode(write_solution(made)).decode()}
        job = self.crm.call("POST", "ImportSolutionAsync", body).json()["AsyncOperationId"]
        self.clock.advance(9)
        return self.crm.read(f"asyncoperations({job})?$select=statuscode")["statuscode"]

    def sales_order(self, **changes):
        body = {"OrderingCustomerAccountNumber": "C100001", **changes}
        return self.finance.call("POST", "SalesOrderHeadersV2", body)

    def sales_line(self, **changes):
        number = self.sales_order().json()["SalesOrderNumber"]
        body = {"SalesOrderNumber": number, "ItemNumber": "TEA-001", "OrderedSalesQuantity": 3, **changes}
        return self.finance.call("POST", "SalesOrderLinesV2", body)

    def ask(self, **changes):
        """The token endpoint's answer."""
        configs = self.sandbox.connection_configs("dev")
        crm = configs["crm"]
        form = {
            "client_id": crm["client_id"],
            "client_secret": self.sandbox.secret(crm["client_secret"]),
            "grant_type": "client_credentials",
            "scope": f"{crm['url']}/.default",
            **changes,
        }
        return self.client.post(f"{crm['authority']}/{crm['tenant']}/oauth2/v2.0/token", data=form)


def told(answer):
    """What an error says of itself."""
    return answer.json()["error"]["code"]


def rounded(lab):
    lab.order(discountpercentage=50)
    lab.line(priceperunit=0.01)
    return lab.crm.read(ORDER)["totalamount"]


def read_only(lab):
    lab.account()
    answer = lab.crm.call("PATCH", "accounts(tl_customerkey='k')", {"createdon": "2020-01-01T00:00:00Z"})
    assert lab.account()["createdon"].startswith("2026"), "written it is on neither side"
    return answer.status_code


def overridden(lab):
    lab.order(**{"pricelevelid@odata.bind": ...})
    lab.line()
    return lab.crm.read("salesorderdetails(tl_linekey='l')")["extendedamount"]


def locked_order(lab):
    lab.order()
    lab.crm.call("PATCH", ORDER, {"statecode": 1, "statuscode": 3})
    return told(lab.crm.call("PATCH", ORDER, {"description": "x"}))


def wrong_state(lab):
    lab.order()
    return told(lab.crm.call("PATCH", ORDER, {"statecode": 0, "statuscode": 3}))


def draft_product(lab):
    lab.order()
    lab.crm.call("POST", "products", {"productnumber": "NEW", "name": "New"})
    return told(lab.line(**{"productid@odata.bind": "/products(productnumber='NEW')"}))


def no_unit(lab):
    lab.order()
    return told(lab.line(**{"uomid@odata.bind": ...}))


def foreign_unit(lab):
    lab.order()
    group = lab.crm.call("POST", "uomschedules", {"name": "g", "baseuomname": "piece"})
    unit = {
        "name": "piece",
        "quantity": 1,
        "uomscheduleid@odata.bind": group.headers["OData-EntityId"],
    }
    made = lab.crm.call("POST", "uoms", unit).headers["OData-EntityId"]
    return told(lab.line(**{"uomid@odata.bind": made}))


def no_order(lab):
    return told(lab.line(**{"salesorderid@odata.bind": ...}))


def locked_invoice(lab):
    lab.order()
    path = f"invoices({lab.convert()['invoiceid']})"
    assert lab.crm.call("PATCH", path, {"statecode": 2, "statuscode": 100001}).status_code == 204
    return told(lab.crm.call("PATCH", path, {"description": "x"}))


def no_invoice(lab):
    body = {"quantity": 1, "isproductoverridden": True, "productdescription": "x", "priceperunit": 1}
    return told(lab.crm.call("POST", "invoicedetails", body))


def converted_order(lab):
    lab.order()
    lab.convert()
    return lab.crm.read(ORDER)["statecode"]


def converted_invoice(lab):
    lab.order()
    return lab.convert()["ispricelocked"]


def unsafe_key(lab):
    return lab.crm.call("GET", "accounts(tl_customerkey='a%26b')").status_code


def stopped_batch(lab):
    part = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET accounts(tl_customerkey='n') HTTP/1.1\r\n\r\n"
    headers = {**lab.crm.headers, "content-type": "multipart/mixed; boundary=b"}
    body = f"--b\r\n{part}\r\n--b--\r\n".encode()
    return lab.client.post(lab.crm.base + "$batch", headers=headers, content=body).status_code


def instant(lab):
    lab.order()
    return lab.crm.call("PATCH", ORDER, {"requestdeliveryby": "2026-07-05T10:00:00Z"}).status_code


def early(lab):
    lab.order()
    return lab.crm.call("PATCH", ORDER, {"requestdeliveryby": "1700-01-01"}).status_code


def cleared(lab):
    account = lab.account()["accountid"]
    bind = {"lastname": "P", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
    made = lab.crm.call("POST", "contacts", bind).headers["OData-EntityId"]
    lab.crm.call("DELETE", f"accounts({account})")
    return lab.crm.read(made)["_parentcustomerid_value"] is None


def missing_bind(lab):
    lab.order()
    bind = {"pricelevelid@odata.bind": f"/pricelevels({uuid.UUID(int=1)})"}
    return lab.crm.call("PATCH", ORDER, bind).status_code


def week(lab):
    lab.order(requestdeliveryby="2026-07-05")  # a Sunday; it is Wednesday
    this_week = "Microsoft.Dynamics.CRM.ThisWeek(PropertyName='requestdeliveryby')"
    return len(lab.crm.read(f"salesorders?$filter={this_week}")["value"])


def expired(lab):
    link = lab.crm.read("accounts?$select=name", Prefer=TRACK)["@odata.deltaLink"]
    lab.client.post("https://org-dev.sandbox.test/_sandbox/expire-changes", json={"table": "account"})
    answer = lab.crm.call("GET", link)
    assert told(answer) == "0x80044352"
    return answer.status_code


def untracked(lab):
    return told(lab.crm.call("GET", "ordercloses?$select=subject", Prefer=TRACK))


def counted(lab):
    return lab.crm.call("GET", "accounts/$count").content[:3]


def charged(lab):
    crm = lab.crm
    crm.call("GET", "WhoAmI")
    return crm.call("GET", "WhoAmI").headers["x-ms-ratelimit-time-remaining-xrm-requests"]


def charged_metadata(lab):
    lab.crm.read("EntityDefinitions(LogicalName='account')?$select=EntitySetName")
    return sum(used["requests"] for used in lab.organisation.protection.used().values())


def too_many_at_once(lab):
    lab.organisation.protection.enforced = True
    lab.organisation.protection.limits = Limits(concurrent=0)
    return lab.crm.call("GET", "WhoAmI").headers["Retry-After"]


def going_on(lab):
    lab.organisation.protection.enforced = True
    lab.organisation.protection.limits = Limits(requests=1, window_s=100)
    crm = lab.crm
    crm.call("GET", "WhoAmI")
    lab.clock.advance(90)
    return [crm.call("GET", "WhoAmI").headers["Retry-After"] for _ in range(3)]


def parallel(lab):
    return int(lab.crm.call("GET", "WhoAmI").headers["x-ms-dop-hint"])


def unprivileged(lab):
    lab.role(Depth.GLOBAL)
    return told(lab.crm.call("GET", "accounts?$top=1"))


def out_of_reach(lab):
    account = lab.account()["accountid"]
    lab.role(Depth.BASIC, "prvReadAccount")
    with lab.organisation.entered():
        table = lab.organisation.schema.tables["account"]
        row = {**lab.organisation.rows.get(table, account), "ownerid": ("systemuser", str(uuid.UUID(int=9)))}
        lab.organisation.rows.put(table, account, row)
    return told(lab.crm.call("GET", f"accounts({account})"))


def merged(lab):
    row = {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": lab.account()["accountid"]}
    body = {"Target": row, "Subordinate": row, "PerformParentingChecks": False}
    return told(lab.crm.call("POST", "Merge", body))


def twice_in_one(lab):
    row = {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": lab.account()["accountid"]}
    body = {"Targets": [{**row, "name": "x"}] * 2}
    return told(lab.crm.call("POST", "accounts/Microsoft.Dynamics.CRM.UpdateMultiple", body))


def duplicated(lab):
    crm = lab.crm
    lab.account(emailaddress1="a@b.test")
    facts = {"name": "mail", "baseentityname": "account", "matchingentityname": "account"}
    rule = crm.call("POST", "duplicaterules", facts).headers["OData-EntityId"]
    condition = {
        "baseattributename": "emailaddress1",
        "matchingattributename": "emailaddress1",
        "operatorcode": 0,
        "ignoreblankvalues": True,
        "regardingobjectid@odata.bind": rule.removeprefix(crm.base.rstrip("/")),
    }
    crm.call("POST", "duplicateruleconditions", condition)
    crm.call("POST", "PublishDuplicateRule", {"DuplicateRuleId": rule[-37:-1]})
    headers = {**crm.headers, "MSCRM.SuppressDuplicateDetection": "false"}
    twin = {"name": "B", "emailaddress1": "a@b.test"}
    return crm.client.post(f"{crm.base}accounts", json=twin, headers=headers).status_code


def key_after_six_seconds(lab):
    lab.crm.call("POST", KEYS, {"SchemaName": "new_key", "KeyAttributes": ["accountnumber"]})
    lab.clock.advance(6)
    return [k["EntityKeyIndexStatus"] for k in lab.crm.read(KEYS)["value"] if k["SchemaName"] == "new_key"]


def impossible_key(lab):
    return told(lab.crm.call("POST", KEYS, {"SchemaName": "new_key", "KeyAttributes": ["description"]}))


def delay(lab):
    lab.account()
    lab.step(1)
    lab.account(name="B")
    return (lab.organisation.webhooks.next_due() - lab.clock.now()).total_seconds()


def failed_step(lab):
    lab.account()
    lab.step(0)
    lab.organisation.webhooks.send = lambda _request: 500
    return lab.crm.call("PATCH", "accounts(tl_customerkey='k')", {"name": "B"}).status_code


def zone(lab):
    lab.account()
    lab.step(1)
    lab.account(name="B")
    lab.clock.advance(5)
    bodies = []
    lab.organisation.webhooks.deliver(lambda request: bodies.append(json.loads(request.body)) or 200)
    return bodies[0]["OperationCreatedOn"][-7:-2]


def older(lab):
    assert lab.bring("1.10.0.0") == 30
    return lab.bring("1.9.0.0")


def foreign_body(lab):
    headers = {**lab.crm.headers, "content-type": "text/plain"}
    return lab.client.post(f"{lab.crm.base}accounts", content=b"{}", headers=headers).status_code


def bulk_deleted(lab):
    kind = "Microsoft.Dynamics.CRM."
    account = lab.account()["accountid"]
    condition = {
        "AttributeName": "accountid",
        "Operator": "In",
        "Values": [{"Value": account, "Type": "System.String"}],
    }
    query = {
        "@odata.type": f"{kind}QueryExpression",
        "EntityName": "account",
        "ColumnSet": {"@odata.type": f"{kind}ColumnSet", "AllColumns": False, "Columns": []},
        "Criteria": {
            "@odata.type": f"{kind}FilterExpression",
            "FilterOperator": "And",
            "Conditions": [condition],
        },
    }
    body = {
        "JobName": "j",
        "SendEmailNotification": False,
        "ToRecipients": [],
        "CCRecipients": [],
        "RecurrencePattern": "",
        "StartDateTime": "2026-07-01T15:30:00Z",
        "QuerySet": [query],
    }
    assert lab.crm.call("POST", "BulkDelete", body).status_code == 200
    lab.clock.advance(3)
    return lab.crm.call("GET", f"accounts({account})").status_code


def imported(lab):
    return lab.bring("1.0.0.0")


def after_the_solution(lab):
    (row,) = lab.crm.read("solutions?$filter=uniquename eq 'tagline_order_to_cash'")["value"]
    lab.crm.call("DELETE", f"solutions({row['solutionid']})")
    return "tl_customerkey" in lab.crm.read("accounts?$top=1")["value"][0]


CODE = "0x80049999"
ORGANISATION = {
    "rounding": ("ROUND_DOWN", rounded),
    "read_only_is_refused": (False, read_only),
    "missing_price_list_zeroes_overrides": (False, overridden),
    "order_locked_code": (CODE, locked_order),
    "invalid_state_code": (CODE, wrong_state),
    "product_not_active_code": (CODE, draft_product),
    "unit_missing_code": (CODE, no_unit),
    "unit_wrong_code": (CODE, foreign_unit),
    "line_without_order_code": (CODE, no_order),
    "invoice_locked_code": (CODE, locked_invoice),
    "line_without_invoice_code": (CODE, no_invoice),
    "converted_order_is_invoiced": (False, converted_order),
    "converted_invoice_is_price_locked": (False, converted_invoice),
    "unsafe_key_characters": ("/", unsafe_key),
    "stopped_batch_status": (200, stopped_batch),
    "date_only_takes_instants": (False, instant),
    "earliest_time": ("1600-01-01", early),
    "delete_clears_lookups": (False, cleared),
    "missing_bind_status": (400, missing_bind),
    "week_starts_on": (0, week),
    "delta_expired_status": (400, expired),
    "untracked_code": (CODE, untracked),
    "count_has_bom": (False, counted),
    "execution_cost_s": (
        {"request": 1.5, "read": 0, "create": 0, "update": 0, "delete": 0},
        charged,
    ),
    "metadata_is_free": (False, charged_metadata),
    "concurrent_retry_after_s": (7, too_many_at_once),
    "throttled_call_adds_s": (9.5, going_on),
    "dop_hint": (48, parallel),
    "missing_privilege_code": ("0x80048306", unprivileged),
    "out_of_reach_code": ("0x80040220", out_of_reach),
    "merge_refused_code": (CODE, merged),
    "bulk_duplicate_code": (CODE, twice_in_one),
    "duplicates_found_status": (500, duplicated),
    "key_steps_s": ({"InProgress": 60, "Active": 90}, key_after_six_seconds),
    "metadata_refused_code": (CODE, impossible_key),
    "async_step_delay_s": (40, delay),
    "sync_step_failed_status": (500, failed_step),
    "context_zone": (180, zone),
    "older_solution_is_refused": (False, older),
    "wrong_media_type_status": (400, foreign_body),
    "bulk_delete_after_s": (60, bulk_deleted),
    "import_steps_s": ([1, 100], imported),
    "managed_columns_go_with_their_solution": (False, after_the_solution),
}


def stranger(lab):
    lab.erp.applications.clear()
    return lab.finance.call("GET", "LegalEntities").status_code


def stale(lab):
    number = lab.sales_order().json()["SalesOrderNumber"]
    path = f"SalesOrderHeadersV2(dataAreaId='usmf',SalesOrderNumber='{number}')"
    return lab.finance.call("PATCH", path, {"SalesOrderName": "x"}, If_Match='W/"x"').status_code


def patched(lab):
    path = "SalesOrderHeadersV2(dataAreaId='usmf',SalesOrderNumber='OWN-1')"
    return lab.finance.call("PATCH", path, {"OrderingCustomerAccountNumber": "C100001"}).status_code


def repeated(lab):
    lab.erp.events.activate("SalesOrderConfirmedBusinessEvent", URL)
    confirm_sales_order(lab.erp.records, "usmf", lab.sales_order().json()["SalesOrderNumber"])
    lab.erp.events.deliver(lambda _request: 500)
    return (lab.erp.events.next_due() - lab.clock.now()).total_seconds()


def below(lab):
    number = lab.sales_order().json()["SalesOrderNumber"]
    path = f"SalesOrderHeadersV2(dataAreaId='usmf',SalesOrderNumber='{number}')/SalesOrderName"
    return lab.finance.call("GET", path).status_code


def withheld(lab):
    lab.erp.withheld.add("CustomersV3")
    return lab.finance.call("GET", "CustomersV3").status_code


def paged(lab):
    link = lab.finance.read("CustomersV3", Prefer="odata.maxpagesize=2")["@odata.nextLink"]
    assert lab.finance.read(link)["value"]
    return link.partition("?")[2].partition("=")[0].replace("%24", "$")


def read_only_field(lab):
    answer = lab.sales_order(SalesOrderStatus="Invoiced")
    assert answer.status_code == 400 or answer.json()["SalesOrderStatus"] == "Backorder"
    return answer.status_code


def digits(lab):
    return lab.sales_line(OrderedSalesQuantity=12345).status_code


def amount(lab):
    return lab.sales_line(LineAmount=1).json()["LineAmount"]


def reserved(lab):
    return lab.sales_order().json()["InventoryReservationMethod"]


FINANCE = {
    "stranger_status": (403, stranger),
    "stale_status": (409, stale),
    "patch_creates": (True, patched),
    "event_repeats_s": ([7], repeated),
    "paths_go_below_rows": (False, below),
    "withheld_status": (401, withheld),
    "page_option": ("$skip", paged),
    "read_only_is_refused": (False, read_only_field),
    "whole_digits": (4, digits),
    "given_amount_stands": (False, amount),
    "reservation": ("Manual", reserved),
}


def claims(lab):
    body = lab.ask().json()["access_token"].split(".")[1]
    return sorted(json.loads(base64.urlsafe_b64decode(body + "==")))


LOGIN = {
    "token_version": (2, claims),
    "invalid_client_status": (400, lambda lab: lab.ask(client_secret="x").status_code),
    "unknown_application_status": (401, lambda lab: lab.ask(client_id="x").status_code),
}
ONCE = {
    "order_locked_code",
    "invoice_locked_code",
    "converted_order_is_invoiced",
    "converted_invoice_is_price_locked",
    "metadata_is_free",
    "throttled_call_adds_s",
    "out_of_reach_code",
    "key_steps_s",
    "unit_wrong_code",
    "async_step_delay_s",
    "sync_step_failed_status",
    "older_solution_is_refused",
    "managed_columns_go_with_their_solution",
}
"""Quirks whose probe leaves a sandbox in which it cannot be repeated."""
SITES = {
    "org-dev": (OrganisationQuirks, ORGANISATION, ""),
    "fin-dev": (FinanceQuirks, FINANCE, "FINANCE_"),
    "login": (LoginQuirks, LOGIN, "LOGIN_"),
}


@pytest.fixture
def make_lab(make_sandbox, connect_crm, connect_finance):
    clients = []

    def make(**options):
        sandbox = make_sandbox(seed=7, **options)
        clients.append(httpx.Client(transport=sandbox.transport()))
        return Lab(sandbox, clients[-1], sandbox.clock, connect_crm, connect_finance)

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize("site", SITES)
def test_every_quirk_stands_as_assumed_and_in_the_table(site):
    kind, probes, prefix = SITES[site]
    constants = {row.constant for row in TABLE}
    assert [each.name for each in fields(kind)] == list(probes)
    for quirk in fields(kind):
        constant = prefix + quirk.name.upper()
        assert constant in constants
        assert getattr(kind(), quirk.name) == getattr(assumptions, constant)


@pytest.mark.parametrize(
    ("site", "name"),
    [(site, name) for site, (_, probes, _) in SITES.items() for name in probes],
    ids=str,
)
def test_turning_a_quirk_over_the_wire_changes_the_answer(make_lab, site, name):
    turned, probe = SITES[site][1][name]
    lab = make_lab()
    before = probe(lab)
    if name in ONCE:
        lab = make_lab()
    address = f"https://{site}.sandbox.test/_sandbox/quirks"
    shown = lab.client.get(address).json()
    answer = lab.client.post(address, json={name: turned})
    assert answer.json() == {**shown, name: turned}
    after = probe(lab)
    assert before != after
    if name.endswith(("_code", "_status")):
        assert (before, after) == (shown[name], turned)


def test_quirks_given_in_python_count_from_the_first_call_in_every_environment(make_lab):
    lab = make_lab(
        environments=("dev", "qa"),
        shop_quirks=ShopQuirks(refund_type="Refund"),
        organisation_quirks=OrganisationQuirks(count_has_bom=False),
        finance_quirks=FinanceQuirks(reservation="Manual"),
        login_quirks=LoginQuirks(invalid_client_status=400),
    )
    assert counted(lab) != b"\xef\xbb\xbf"
    assert (reserved(lab), lab.ask(client_secret="x").status_code) == ("Manual", 400)
    assert {shop.quirks.refund_type for shop in lab.sandbox.shops.values()} == {"Refund"}
    assert not lab.sandbox.organisations["qa"].quirks.count_has_bom
    lab.client.post("https://org-dev.sandbox.test/_sandbox/quirks", json={"count_has_bom": True})
    assert not lab.sandbox.organisations["qa"].quirks.count_has_bom, "each organisation has its own"


@pytest.mark.parametrize(
    ("site", "body", "said"),
    [
        ("org-dev", {"nonsense": 1}, "there is no quirk nonsense"),
        ("org-dev", {}, "no quirk is given"),
        ("org-dev", {"rounding": "ROUND_AWAY"}, "rounding must be one of ROUND_"),
        ("org-dev", {"order_locked_code": "80043b2f"}, "order_locked_code must be a code such as"),
        ("org-dev", {"missing_bind_status": 99}, "missing_bind_status cannot be 99"),
        ("org-dev", {"async_step_delay_s": -1}, "async_step_delay_s must be a number of seconds"),
        ("org-dev", {"execution_cost_s": {"read": 1}}, "execution_cost_s must be an object with the seconds"),
        ("org-dev", {"key_steps_s": []}, "key_steps_s must be an object with the seconds"),
        ("org-dev", {"import_steps_s": [8, 1]}, "import_steps_s must be two numbers"),
        ("org-dev", {"earliest_time": "long ago"}, "earliest_time must be a day"),
        ("org-dev", {"week_starts_on": 7}, "week_starts_on cannot be 7; it may be 0 to 6"),
        ("org-dev", {"unsafe_key_characters": 1}, "unsafe_key_characters must be a text"),
        ("fin-dev", {"page_option": "$page"}, "page_option must be one of $skiptoken, $skip"),
        ("fin-dev", {"whole_digits": 16}, "whole_digits cannot be 16"),
        ("fin-dev", {"event_repeats_s": 5}, "event_repeats_s must be a list of seconds"),
        ("login", {"token_version": 3}, "token_version cannot be 3"),
    ],
    ids=str,
)
def test_what_is_no_quirk_or_no_value_of_one_turns_nothing(make_lab, site, body, said):
    client = make_lab().client
    address = f"https://{site}.sandbox.test/_sandbox/quirks"
    before = client.get(address).json()
    answer = client.post(address, json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert client.get(address).json() == before
