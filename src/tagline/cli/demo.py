"""The demo: one story from pull request to rollback, told with the commands that a user types, on real processes."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

from tagline.cli.output import out, table
from tagline.clock import SystemClock
from tagline.connectors import connect
from tagline.domain.model import Ref, ref
from tagline.errors import TaglineError
from tagline.flow import Found
from tagline.harness.scratch import ENVIRONMENTS, Scratch, scratch
from tagline.integration import load
from tagline.mapping.table import Explained, explain
from tagline.sandbox.catalogue import LIMITED
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.seed import add_product

NAME: Final = "order_to_cash"
REFUSED: Final = ("unknown_sku", "impossible_total", "unmapped_status", "malformed")
"""Awkward orders that must become dead letters."""
PATIENCE_S: Final = 90.0


def run(source: Path, *, keep: bool, orders: int) -> int:
    """Tell the story; returns the exit code. The folder is left behind when asked, or when the story breaks off."""
    folder = Path(tempfile.mkdtemp(prefix="tagline-demo-"))
    story = _Story()
    kept = True
    try:
        with scratch(source, folder, Sandbox(SystemClock(), 1, ENVIRONMENTS, rate_limits=True)) as made:
            _tell(story, made, orders)
        kept = keep
        out("\n" + table(story.rows, ("step", "what happened", "seconds")))
        out(f"\n{story.total:.0f} seconds in all; nothing of your checkout was touched.")
    finally:
        if kept and any(folder.iterdir()):
            out(
                f"\nThe scratch copy stays in {folder}; its shops are gone, its repository and state are not. For example:"
            )
            out(f"    cd {folder}/work && . ../env.sh")
            out(
                "    git log origin/env/prod; git diff origin/env/qa origin/env/prod; tagline dead-letters list --env dev --all"
            )
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


class _Story:
    """The steps with what happened in each and how long it took."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []
        self._began = time.monotonic()

    @property
    def total(self) -> float:
        return time.monotonic() - self._began

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """One step; the yielded function says what happened."""
        number = len(self.rows) + 1
        out(f"\n[{number}] {title}")
        began = time.monotonic()
        said: list[str] = []
        yield said.append
        happened = "; ".join(said)
        out(f"    {happened}")
        self.rows.append((str(number) + " " + title, happened, f"{time.monotonic() - began:.1f}"))


def _tell(story: _Story, made: Scratch, count: int) -> None:
    with story.step("The two systems") as say:
        say(
            f"{len(ENVIRONMENTS)} shops and {len(ENVIRONMENTS)} Dataverse organisations answer over TLS on loopback"
        )
    with story.step(f"tagline check {NAME}") as say:
        _show(_type(made, "check", NAME).stdout)
        say("the gate passed, evidence is on branch evidence")
    with story.step(f"tagline release {NAME}") as say:
        say(_type(made, "release", NAME).stdout.strip())
    with story.step(f"tagline deploy {NAME}/v1.0.0 --env dev, and shoppers order") as say:
        made.start_agent("dev")
        _type(made, "deploy", f"{NAME}/v1.0.0", "--env", "dev")
        awkward = _place(made, "dev", count)
        _settle(made, "dev", refused=len(REFUSED))
        made.sandbox.shops["dev"].remove_line(awkward["line_removed_later"], 1)
        _until(lambda: not _mistakes(made, "dev"), "the removed line to be removed in Dataverse", made, "dev")
        say(_facts(made, "dev"))
    with story.step("One order, whole") as say:
        say(_whole(made, "dev", awkward["header_tax"]))
    with story.step("One order with an unknown SKU") as say:
        say(_redriven(made, awkward["unknown_sku"]))
    for source, target in (("dev", "qa"), ("qa", "prod")):
        with story.step(f"tagline promote {NAME} --from {source} --to {target}") as say:
            made.start_agent(target)
            _type(made, "promote", NAME, "--from", source, "--to", target)
            made.sandbox.shops[target].place_orders(10, seed=7)
            _settle(made, target)
            say(_facts(made, target))
    with story.step("A v1.1.0 changes two rules: the gate notices") as say:
        _write_next_version(made.work)
        refused = _type(made, "check", NAME, "--only", "cassettes", expect=1)
        out("    refused, as it should be:")
        _show(next(line for line in refused.stdout.splitlines() if "nearest differs" in line).strip())
        _type(made, "record", NAME, "--env", "dev", "--sandbox")
        _accept_next_version(made.work)
        made.commit("order_to_cash: name the web order, leave the phone number out")
        _type(made, "check", NAME)
        say("the cassette no longer agreed; it was recorded again, the test adapted, and the gate passed")
    with story.step("v1.1.0 goes to prod") as say:
        _type(made, "release", NAME)
        _type(made, "deploy", f"{NAME}/v1.1.0", "--env", "dev")
        _type(made, "promote", NAME, "--from", "dev", "--to", "qa")
        _show(_type(made, "plan", f"{NAME}/v1.1.0", "--env", "prod").stdout)
        _type(made, "promote", NAME, "--from", "qa", "--to", "prod")
        made.sandbox.shops["prod"].place_orders(5, seed=8)
        _settle(made, "prod")
        say(f"{_named(made, 'Web order')} orders have the new name")
    with story.step(f"tagline rollback {NAME} --env prod") as say:
        made.sandbox.shops["prod"].place_orders(5, seed=9)
        _type(made, "rollback", NAME, "--env", "prod", "--reason", "sales wants the old name")
        made.sandbox.shops["prod"].place_orders(5, seed=10)
        _settle(made, "prod")
        refused = _type(made, "deploy", f"{NAME}/v1.1.0", "--env", "prod", expect=3)
        out("    refused, as it should be:")
        _show(refused.stderr)
        _show(_type(made, "status").stdout)
        say(f"v1.0.0 runs again; {_facts(made, 'prod')}; v1.1.0 is held")


def _type(made: Scratch, *args: str, expect: int = 0) -> CompletedProcess[str]:
    """Run a command as a user types it, and say which."""
    out(f"    $ tagline {' '.join(args)}")
    return made.tagline(*args, expect=expect)


def _show(text: str) -> None:
    for line in text.rstrip().splitlines():
        out(f"    {line}")


# -- what shoppers do ------------------------------------------------------------------------------


def _place(made: Scratch, environment: str, count: int) -> dict[str, int]:
    """That many orders, the awkward ones among them."""
    shop = made.sandbox.shops[environment]
    awkward = shop.place_awkward()
    shop.place_orders(max(0, count - len(awkward)), seed=3)
    return awkward


# -- what must be true in the end ------------------------------------------------------------------


def _settle(made: Scratch, environment: str, refused: int = 0) -> None:
    """Wait until every completed order carries the Dataverse id back, but those that are set aside."""
    shop = made.sandbox.shops[environment]

    def is_settled() -> bool:
        with_id = sum(bool(o["ExternalComments"]) for o in _completed(shop.orders.values()))
        return with_id >= len(_completed(shop.orders.values())) - refused

    _until(is_settled, "every order to stand in Dataverse", made, environment)


def _completed(orders: Any) -> list[Any]:
    return [o for o in list(orders) if o["OrderStatusID"] != 7]


def _until(is_true: Callable[[], bool], what: str, made: Scratch, environment: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not is_true():
        if time.monotonic() > ends:
            raise TaglineError(
                f"waited {PATIENCE_S:g} seconds in vain for {what}",
                code="demo-step-failed",
                where={"environment": environment, "log": str(made.folder / f"agent-{environment}.log")},
                hint="the log says what the agent did",
            )
        time.sleep(0.2)


def _orders_in_dataverse(made: Scratch, environment: str) -> dict[int, Any]:
    rows = made.sandbox.organisations[environment].rows.all(tables()["salesorder"])
    return {int(r["tl_orderkey"].rpartition("-")[2]): r for r in rows if r.get("tl_orderkey")}


def _lines(made: Scratch, environment: str, order: Any) -> list[Any]:
    rows = made.sandbox.organisations[environment].rows
    detail = tables()["salesorderdetail"]
    return [rows.get(detail, i) for i in rows.pointing(detail, "salesorderid", order["salesorderid"])]


def _mistakes(made: Scratch, environment: str) -> list[int]:
    """Orders that stand in Dataverse with another total or another number of lines than the shop has."""
    shop = made.sandbox.shops[environment].orders
    found = []
    for order_id, row in _orders_in_dataverse(made, environment).items():
        same_total = Decimal(str(row["totalamount"])) == Decimal(str(shop[order_id]["OrderAmount"]))
        same_lines = len(_lines(made, environment, row)) == len(shop[order_id]["OrderItemList"])
        if not (same_total and same_lines):
            found.append(order_id)
    return found


def _facts(made: Scratch, environment: str) -> str:
    """The sentence that says whether it is right; breaks the story off when it is not."""
    placed = _completed(made.sandbox.shops[environment].orders.values())
    written = _orders_in_dataverse(made, environment)
    wrong = _mistakes(made, environment)
    if wrong:
        raise TaglineError(
            f"orders {', '.join(map(str, wrong))} stand in Dataverse otherwise than in the shop",
            code="demo-step-failed",
            where={"environment": environment},
            hint="tagline shadow shows what would correct them",
        )
    aside = len(placed) - len(written)
    told = f", {aside} set aside as dead letters" if aside else ""
    return f"{len(placed)} orders: {len(written)} in Dataverse, each once, totals equal to the cent{told}"


def _named(made: Scratch, start: str) -> int:
    return sum(str(r["name"]).startswith(start) for r in _orders_in_dataverse(made, "prod").values())


# -- one order, whole ------------------------------------------------------------------------------


def _whole(made: Scratch, environment: str, order_id: int) -> str:
    """Header and lines of an order of a person: shop value, rule, Dataverse value; then both totals."""
    from tagline.connectors.dataverse import Contact, Product, UnitOfMeasure
    from tagline.connectors.shift4shop import Order
    from tagline.domain.environment import Shift4ShopConnection

    integration = load(made.work / "integrations" / NAME)
    settings = integration.settings.model_validate({"price_level": "Web"})
    config = made.served.connection_configs(environment)
    shop = connect(
        "shop",
        Shift4ShopConnection.model_validate(config["shop"]),
        clock=SystemClock(),
        secrets=lambda reference: config["secrets"][reference.removeprefix("env:")],
        read_only=True,
    )
    try:
        order = shop.fetch(Order, [str(order_id)]).records[str(order_id)]
    finally:
        shop.close()
    assert isinstance(order, Order)
    row = _orders_in_dataverse(made, environment)[order_id]
    customer = ref(Contact, contactid=row["customerid"][1])
    _explained(explain(integration.mappings["to_sales_order"], order, customer, settings), row)
    line_mapping = integration.mappings["to_product_line"]
    lines = {line["lineitemnumber"]: line for line in _lines(made, environment, row)}
    for item in order.OrderItemList:
        line = lines[item.ItemIndexID]
        unit = ref(UnitOfMeasure, uomid=line["uomid"][1])
        product = Found(Product, (), line["productid"][1], values={"defaultuomid": unit})
        out(f"    line {item.ItemIndexID}")
        _explained(explain(line_mapping, item, order, product, settings), line)
    totals = made.sandbox.shops[environment].orders[order_id]["OrderAmount"], row["totalamount"]
    return (
        f"order {order_id}: the shop's total is {totals[0]}, Dataverse computed {Decimal(str(totals[1])):.2f}"
    )


def _explained(rules: Sequence[Explained], row: Any) -> None:
    """Shop value, rule, and what stands in Dataverse, a line a rule."""
    rows = [
        (_short(list(e.source_values.values())), e.rule, e.target, _short(row.get(e.target))) for e in rules
    ]
    out(table(rows, ("shop", "rule", "column", "Dataverse"), indent="    "))


def _short(value: Any) -> str:
    """As a person reads it: amounts in cents, a list by its elements, a lookup by its table and id."""
    match value:
        case None:
            text = ""
        case Decimal():
            text = f"{value:.2f}"
        case Ref():
            text = f"{value.model.__name__} {value.key[0][1]}"
        case (str() as entity, str() as row_id):
            text = f"{entity} {row_id}"
        case tuple() | list():
            text = " ".join(filter(None, map(_short, value)))
        case _:
            text = str(value)
    return text if len(text) <= 34 else text[:31] + "..."


def _redriven(made: Scratch, order_id: int) -> str:
    """A dead letter read, its cause corrected, sent again."""
    letters: Sequence[dict[str, Any]] = json.loads(
        made.tagline("dead-letters", "list", "--env", "dev", "--json").stdout
    )
    _show(_type(made, "dead-letters", "list", "--env", "dev").stdout)
    letter = next(x for x in letters if x["key"] == str(order_id))
    _show(_type(made, "dead-letters", "show", str(letter["id"]), "--env", "dev").stdout)
    organisation = made.sandbox.organisations["dev"]
    with organisation.door.lock:
        add_product(organisation.records, LIMITED)
    _type(made, "dead-letters", "redrive", str(letter["id"]), "--env", "dev")
    _settle(made, "dev", refused=len(REFUSED) - 1)
    return f"order {order_id}: {letter['cause']}; the product was created, the letter redriven, the order stands in Dataverse"


# -- the next version ------------------------------------------------------------------------------


def _write_next_version(work: Path) -> None:
    """What an author changes for v1.1.0: two rules, the version, the changelog."""
    folder = work / "integrations" / NAME
    _replace(
        folder / NAME / "mappings" / "sales_order.py",
        ("name=order_title(order),", 'name=f"Web order {order_title(order)}",'),
        ("        billto_telephone=blank_to_none(order.BillingPhoneNumber),\n", ""),
    )
    _replace(folder / "pyproject.toml", ('version = "1.0.0"', 'version = "1.1.0"'))
    _replace(
        folder / "CHANGELOG.md",
        (
            "## 1.0.0",
            "## 1.1.0\n\n- changed - The order's name says where it came from; the phone number stays with the customer.\n\n## 1.0.0",
        ),
    )


def _accept_next_version(work: Path) -> None:
    """What an author says is meant: the example in the mapping's test."""
    _replace(
        work / "tests" / "integrations" / NAME / "test_mappings.py",
        ('name="3dcart order AB-9001",', 'name="Web order 3dcart order AB-9001",'),
        ('        billto_telephone="555-0100",\n', ""),
    )


def _replace(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in pairs:
        if old not in text:
            raise TaglineError(
                f"{path.name} is not what the demo expects to change",
                code="demo-step-failed",
                where={"file": str(path)},
                hint="run the demo on an unchanged order_to_cash 1.0.0",
            )
        text = text.replace(old, new, 1)
    path.write_text(text)
