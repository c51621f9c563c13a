"""A rehearsal: an integration meets shoppers in a sandbox, twice, and what came of it is judged without its help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tagline.connectors.shift4shop import Order
from tagline.domain.exchange import Connector
from tagline.domain.settings import Settings
from tagline.errors import InconclusiveError
from tagline.flow import Flow
from tagline.flow.drive import drive
from tagline.harness.scenario import DONE, Scenario, run
from tagline.harness.world import Remotes
from tagline.integration import Integration
from tagline.runtime.journal import Intent, MemoryJournal
from tagline.runtime.live import LiveDriver
from tagline.sandbox.dataverse_schema import tables

SALES_ORDER: Final = "salesorder"
TAXES: Final = ("SalesTax", "SalesTax2", "SalesTax3")
"""The shop's tax fields of an order."""
REFERENCE_MISSING: Final = "reference-not-found"
BROKEN: Final = ("mapping-failed", "flow-failed", "flow-awaits-other", "record-gone")
"""Causes that name no decision of anybody's: the integration just did not work."""


@dataclass(frozen=True)
class Told:
    """One write, without its values."""

    record: str
    entity: str
    kind: str
    columns: tuple[str, ...]
    """What it changed; for an action, its name."""


@dataclass(frozen=True)
class Standing:
    """An order as both sides have it."""

    record: str
    amount: Decimal
    """The shop's total."""
    tax: Decimal
    """The shop's taxes together."""
    totals: tuple[tuple[Decimal | None, Decimal | None], ...]
    """`totalamount` and `totaltax` of each sales order that stands for it."""


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal showed."""

    outcomes: Mapping[str, str]
    """Order -> `done`, or the cause it was set aside for."""
    again: Mapping[str, str]
    """The same after the second run."""
    usual: frozenset[str]
    """Orders with nothing odd about them."""
    first_writes: tuple[Told, ...]
    second_writes: tuple[Told, ...]
    standing: tuple[Standing, ...]
    """Orders that were done and written."""
    strangers: int
    """Sales orders that stand for no order that was done."""


def rehearse(integration: Integration, settings: Settings, *, orders: int = 30, seed: int = 1) -> Rehearsal:
    """
    Run the integration's order flow over orders of a sandbox, twice.

    Args:
        orders: How many of the usual mix; one of every awkward case comes on top.

    Raises:
        InconclusiveError: The sandbox lacks a system, a flow to run or a row that every order needs (code
            `rehearsal-not-possible`).
    """
    remotes = Remotes(integration, seed)
    flow = _order_flow(integration)
    usual = [str(number) for number in remotes.shop.place_orders(orders, seed)]
    awkward = [str(number) for number in remotes.shop.place_awkward().values()]
    scenario = Scenario(flow, (*usual, *awkward), settings)
    with ExitStack() as stack:
        connectors = remotes.connect()
        for connector in connectors.values():
            stack.enter_context(closing(connector))
        outcomes, first = run(integration, scenario, connectors)
        if usual and all(outcomes[key] == REFERENCE_MISSING for key in usual):
            raise _reference_missing(scenario, connectors, integration, remotes)
        again, second = run(integration, scenario, connectors)
    ids = _ids_of(first.intents, remotes)
    orders_placed = {key: remotes.shop.orders[int(key)] for key in outcomes}
    standing = tuple(
        Standing(
            key,
            orders_placed[key]["OrderAmount"],
            sum((orders_placed[key][name] for name in TAXES), Decimal(0)),
            tuple(totals for _, totals in ids[key]),
        )
        for key, cause in outcomes.items()
        if cause == DONE and key in ids
    )
    claimed = {row_id for key, found in ids.items() if outcomes[key] == DONE for row_id, _ in found}
    return Rehearsal(
        outcomes=outcomes,
        again=again,
        usual=frozenset(usual),
        first_writes=tuple(map(_told, first.intents)),
        second_writes=tuple(map(_told, second.intents)),
        standing=standing,
        strangers=sum(row["salesorderid"] not in claimed for row in remotes.rows(SALES_ORDER)),
    )


def problems(rehearsal: Rehearsal) -> list[str]:
    """What is not as it must be, for people; empty when the rehearsal went well."""
    found = []
    for record, cause in rehearsal.outcomes.items():
        if cause.partition(":")[0] in BROKEN:
            found.append(f"order {record} is not refused by a named cause, it broke: {cause}")
        elif cause != DONE and record in rehearsal.usual:
            found.append(f"order {record} is an ordinary one and ended as {cause}")
    found += [
        f"order {record} ended as {rehearsal.outcomes[record]}, and as {cause} when it was run again"
        for record, cause in rehearsal.again.items()
        if cause != rehearsal.outcomes[record]
    ]
    found += [
        f"the second run wrote again: {told.kind} of {told.entity} for order {told.record} ({', '.join(told.columns)})"
        for told in rehearsal.second_writes
    ]
    for order in rehearsal.standing:
        if len(order.totals) != 1:
            found.append(f"order {order.record} stands {len(order.totals)} times")
            continue
        for what, ours, theirs in zip(
            ("", "'s tax"), (order.amount, order.tax), order.totals[0], strict=True
        ):
            if ours != theirs:
                found.append(
                    f"order {order.record}{what} comes to {ours} in the shop and to {theirs} in its sales order"
                )
    if rehearsal.strangers:
        found.append(
            f"{rehearsal.strangers} sales orders stand for no order that ended as {DONE}: what is set aside must leave nothing behind"
        )
    if not rehearsal.standing:
        found.append("no order became a sales order, so nothing was shown")
    return found


def _order_flow(integration: Integration) -> Flow:
    flows = [flow for flow in integration.flows.values() if flow.source is Order]
    if len(flows) != 1:
        raise InconclusiveError(
            f"{integration.name} has {len(flows)} flows of the shop's orders, a rehearsal runs the one there is",
            code="rehearsal-not-possible",
            where={"integration": integration.name},
            hint="prove it by cassettes",
        )
    return flows[0]


def _reference_missing(
    scenario: Scenario, connectors: Mapping[str, Connector], integration: Integration, remotes: Remotes
) -> InconclusiveError:
    """What every order refers to and the sandbox does not hold, told in the words of the first order's own error."""
    by_system = {integration.connections[name].kind: each for name, each in connectors.items()}
    flow, first = scenario.flow, scenario.keys[:1]
    driver = LiveDriver(
        by_system, MemoryJournal(), deployment="rehearsal", integration=integration.name, flow=flow.name
    )
    records = by_system[flow.source.remote.system].fetch(flow.source, first).records
    told = [str(ended.error) for ended in drive(flow, records, scenario.settings, driver).values()]
    held = [
        f"{table}: {', '.join(sorted(row[column] for row in remotes.rows(table)))}"
        for table, column in (
            ("pricelevel", "name"),
            ("transactioncurrency", "isocurrencycode"),
            ("uom", "name"),
        )
    ]
    return InconclusiveError(
        f"the sandbox lacks a row that every order refers to: {'; '.join(told)}",
        code="rehearsal-not-possible",
        where={"integration": integration.name},
        hint=f"name in the environment's settings what the sandbox holds: {'; '.join(held)}",
    )


def _ids_of(intents: Sequence[Intent], remotes: Remotes) -> dict[str, list[tuple[str, Any]]]:
    """Record -> id, total and tax of each sales order it was written to and that stands, as the organisation has it."""
    table = tables()[SALES_ORDER]
    found: dict[str, list[tuple[str, Any]]] = {}
    written = Counter((intent.record, intent.key) for intent in intents if intent.entity == SALES_ORDER)
    for record, key in written:
        names, keyed = zip(*key, strict=True)
        row_id = (
            keyed[0]
            if names == (table.primary_id,)
            else remotes.organisation.rows.by_key(table, names, keyed)
        )
        row = remotes.organisation.rows.get(table, row_id) if row_id else None
        if row is not None and row_id not in dict(found.setdefault(record, [])):
            found[record].append((str(row_id), (row.get("totalamount"), row.get("totaltax"))))
    return found


def _told(intent: Intent) -> Told:
    columns = (intent.action,) if intent.action else tuple(intent.after)
    return Told(intent.record, intent.entity, intent.kind.value, columns)
