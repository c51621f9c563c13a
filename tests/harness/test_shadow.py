"""Shadow tells field by field what would be written and why a record would be set aside, and writes nothing."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tagline.clock import SystemClock
from tagline.connectors import connect
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import TaglineError, UsageError
from tagline.harness.scenario import Scenario, only_flow, run
from tagline.harness.shadow import Looked, look, render, to_json
from tagline.integration import load
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.seed import PRICE_LIST
from tagline.sandbox.serve import Served, serve

ROOT = Path(__file__).parents[2]
NAME = "order_to_cash"
WRITTEN = ("salesorder", "salesorderdetail", "contact", "account")


def make_config(served: Served, **settings: Any) -> EnvironmentConfig:
    given = served.connection_configs("dev")
    return EnvironmentConfig.model_validate(
        {
            "environment": "dev",
            "agent": {"public_url": "https://hooks.example.com", "state": "x", "state_key": "env:K"},
            "connections": {name: given[name] for name in ("shop", "crm")},
            "integrations": {NAME: {"settings": {"price_level": PRICE_LIST, **settings}}},
        }
    )


def make_look(served: Served, *keys: object, last: int = 50, **settings: Any) -> list[Looked]:
    return look(
        ROOT,
        NAME,
        make_config(served, **settings),
        last=last,
        keys=tuple(map(str, keys)),
        clock=SystemClock(),
    )


def standing(sandbox: Sandbox) -> Mapping[str, Any]:
    """Everything both remotes hold that the integration could write."""
    rows = sandbox.organisations["dev"].rows
    return copy.deepcopy(
        {
            **{name: list(rows.all(tables()[name])) for name in WRITTEN},
            "orders": dict(sandbox.shops["dev"].orders),
        }
    )


def writes(sandbox: Sandbox) -> list[str]:
    """Calls that the remotes themselves logged as other than reading; a batch counts by its parts."""
    sites = (sandbox.shops["dev"], sandbox.organisations["dev"])
    return [
        f"{e.method} {e.path}"
        for site in sites
        for e in site.door.log
        if e.method != "GET" and not e.path.endswith("/$batch")
    ]


@dataclass(frozen=True)
class Seen:
    """Shadow runs before and after the orders were really written."""

    awkward: Mapping[str, int]
    usual: Sequence[int]
    before: Mapping[str, Looked]
    changed: bool
    written_by_shadow: Sequence[str]
    after: Mapping[str, Looked]
    served: Served

    def of(self, case: str) -> Looked:
        return self.before[str(self.awkward[case])]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    sandbox = Sandbox(SystemClock(), 1, ("dev",))
    awkward = sandbox.shops["dev"].place_awkward()
    usual = sandbox.shops["dev"].place_orders(4, seed=2)
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    with pytest.MonkeyPatch.context() as patch, serve(sandbox, ca_file) as served:
        for name, value in served.connection_configs("dev")["secrets"].items():
            patch.setenv(name, value)
        at_first = standing(sandbox)
        before = make_look(served)
        changed, written = standing(sandbox) != at_first, writes(sandbox)
        write(served, [r.key for r in before])
        after = make_look(served)
        yield Seen(
            awkward,
            usual,
            {r.key: r for r in before},
            changed,
            written,
            {r.key: r for r in after},
            served,
        )


def write(served: Served, keys: Sequence[str]) -> None:
    """The same records in earnest."""
    integration, config = load(ROOT / "integrations" / NAME), make_config(served)
    settings = integration.settings.model_validate(config.integrations[NAME].settings)
    with ExitStack() as stack:
        connectors = {n: connect(n, c, clock=SystemClock()) for n, c in config.connections.items()}
        for connector in connectors.values():
            stack.enter_context(closing(connector))
        run(integration, Scenario(only_flow(integration), tuple(keys), settings), connectors)


def test_nothing_is_written(seen: Seen) -> None:
    assert not seen.changed
    assert seen.written_by_shadow == []


def test_every_record_is_looked_at_newest_ones_first_and_no_more_than_asked(seen: Seen) -> None:
    assert set(seen.before) == {str(i) for i in (*seen.awkward.values(), *seen.usual)}
    newest = make_look(seen.served, last=2)
    assert {r.key for r in newest} == {str(i) for i in seen.usual[-2:]}


def test_both_totals_are_told_and_agree_to_the_cent(seen: Seen) -> None:
    shop = seen.served.sandbox.shops["dev"].orders
    for record in seen.before.values():
        if record.error is None:
            assert (
                record.source_total
                == record.target_total
                == Decimal(str(shop[int(record.key)]["OrderAmount"]))
            )
            assert record.totals_agree


def test_an_order_tells_every_field_it_would_write_in_order(seen: Seen) -> None:
    record = seen.of("header_tax")
    entities = [i.entity for i in record.intentions]
    assert entities == ["salesorder", *["salesorderdetail"] * 3, "Order"]
    text = render([record])
    assert "  create salesorder" in text
    assert "    name: 3dcart order AB-" in text
    assert "    salesorderid: SalesOrder(salesorderid=new:shop-" in text
    assert "  total: the source says 111.53, the target will compute 111.53" in text
    assert text.endswith("nothing was written")


@pytest.mark.parametrize(
    ("case", "code", "tells"),
    [
        ("unknown_sku", "unknown-sku", "next: create or activate the product"),
        ("impossible_total", "order-total-differs", "field: OrderAmount"),
        ("unmapped_status", "status-unmapped", "order status 18 has no meaning here"),
        ("malformed", "record-malformed", "field: OrderAmount"),
    ],
)
def test_what_would_become_a_dead_letter_is_told_with_its_reason(
    seen: Seen, case: str, code: str, tells: str
) -> None:
    record = seen.of(case)
    assert record.error is not None
    assert (record.error.code, record.intentions) == (code, ())
    text = render([record])
    assert f"  dead letter: {code}: " in text
    assert tells in text
    assert "1 would become a dead letter" in text


def test_after_a_live_run_there_is_nothing_to_write(seen: Seen) -> None:
    assert {k: r.intentions for k, r in seen.after.items()} == dict.fromkeys(seen.after, ())
    text = render(list(seen.after.values()))
    assert text.count("  nothing to write") == len(seen.after) - 4
    assert f"0 would be written, {len(seen.after) - 4} are as they should be, 4 would become" in text


def test_a_change_is_told_with_what_stands_there_and_what_would(seen: Seen) -> None:
    """The organisation holds version one; looked at with another setting it would change one column."""
    sandbox = seen.served.sandbox
    key = seen.awkward["guest"]
    order = sandbox.shops["dev"].orders[key]
    city, order["BillingCity"] = order["BillingCity"], "Savannah Falls"
    try:
        (record,) = make_look(seen.served, key)
    finally:
        order["BillingCity"] = city
    (change,) = [i for i in record.intentions if i.entity == "salesorder"]
    assert change.changes == {"billto_city": (city, "Savannah Falls")}
    assert f"    billto_city: {city} -> Savannah Falls" in render([record])
    assert "  update salesorder" in render([record])


def test_json_tells_the_same(seen: Seen) -> None:
    told = to_json(seen.of("header_tax"))
    assert (told["source_total"], told["target_total"], told["dead_letter"]) == ("111.53", "111.53", None)
    header = told["intentions"][0]
    assert (header["entity"], header["kind"]) == ("salesorder", "create")
    assert header["changes"]["freightamount"][1] == "6.95"
    refused = to_json(seen.of("unknown_sku"))
    assert refused["intentions"] == []
    assert refused["dead_letter"]["code"] == "unknown-sku"


def test_a_key_that_is_not_there_is_told_as_gone(seen: Seen) -> None:
    (record,) = make_look(seen.served, 999_999)
    assert record.error is not None
    assert record.error.code == "record-gone"


def test_settings_that_do_not_fit_are_told_by_name(seen: Seen) -> None:
    with pytest.raises(UsageError) as caught:
        make_look(seen.served, person_as="friend")
    assert caught.value.code == "settings-invalid"


def test_a_connection_that_the_environment_lacks_is_told_by_name(seen: Seen) -> None:
    config = make_config(seen.served)
    without = config.model_copy(update={"connections": {"shop": config.connections["shop"]}})
    with pytest.raises(UsageError) as caught:
        look(ROOT, NAME, without, last=1, keys=(), clock=SystemClock())
    assert caught.value.code == "connection-unknown"
    assert "crm" in caught.value.message


def test_a_missing_secret_is_told_by_its_reference(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAGLINE_DEV_CRM_CLIENT_SECRET")
    with pytest.raises(TaglineError) as caught:
        make_look(seen.served)
    assert caught.value.code == "secret-missing"
    assert "TAGLINE_DEV_CRM_CLIENT_SECRET" in str(caught.value)
