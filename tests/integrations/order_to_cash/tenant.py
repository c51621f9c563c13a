"""A customer's two systems as recorded rows, in which what a flow intends under the shadow driver comes true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from order_to_cash.flows import order_to_cash
from order_to_cash.settings import OrderToCashSettings
from shop_orders import SETTINGS, dataverse_total

from tagline import Model, Ref, ref
from tagline.connectors.dataverse import (
    Account,
    Contact,
    PriceLevel,
    Product,
    SalesOrder,
    SalesOrderDetail,
    TransactionCurrency,
    UnitOfMeasure,
)
from tagline.connectors.shift4shop import Order
from tagline.domain.exchange import Key, Row, WriteKind
from tagline.errors import TaglineError
from tagline.flow.drive import drive
from tagline.flow.effects import Verb
from tagline.flow.shadow import Intention, RecordedReader, ShadowDriver

STATES = {"FulfillSalesOrder": 3, "CancelSalesOrder": 2}
MODELS: dict[str, type[Model]] = {
    model.remote.entity: model for model in (Account, Contact, SalesOrder, SalesOrderDetail, Order)
}


class _AbsentUnlessRecorded(dict[tuple[type[Model], Key], Row | None]):
    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: object) -> None:
        return None


@dataclass(frozen=True)
class Run:
    """How one order's run ended and what it would have done."""

    error: TaglineError | None
    intentions: Sequence[Intention]

    @property
    def steps(self) -> list[str]:
        """Verb and entity of each, actions by name."""
        return [i.action or f"{i.kind or i.verb} {i.entity}" for i in self.intentions]

    @property
    def writes(self) -> list[Intention]:
        return [i for i in self.intentions if i.verb is not Verb.EXPECT]

    def written(self, entity: str) -> list[dict[str, Any]]:
        """The columns written to rows of an entity, in order."""
        return [{n: after for n, (_, after) in i.changes.items()} for i in self.writes if i.entity == entity]


@dataclass
class Tenant:
    """What stands in both systems, by model and primary id."""

    rows: dict[tuple[type[Model], Any], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def with_products(cls, *skus: str) -> "Tenant":
        tenant = cls()
        tenant.stand(UnitOfMeasure, "unit-1", name="Each")
        tenant.stand(TransactionCurrency, "usd", isocurrencycode="USD")
        tenant.stand(PriceLevel, "list-1", name=SETTINGS.price_level)
        for sku in skus:
            tenant.stand(
                Product,
                f"id of {sku}",
                productnumber=sku,
                statecode=0,
                defaultuomid=ref(UnitOfMeasure, uomid="unit-1"),
            )
        return tenant

    def stand(self, model: type[Model], id: str, **values: Any) -> None:  # noqa: A002 as the column is called
        """Let a row stand, with every column it was not given blank."""
        blank = dict.fromkeys(model.model_fields)
        self.rows[model, id] = {**blank, **values, model.remote.primary_id: id}

    def of(self, model: type[Model]) -> list[dict[str, Any]]:
        return [values for (of, _), values in self.rows.items() if of is model]

    def run(self, order: Order, settings: OrderToCashSettings = SETTINGS) -> Run:
        """Drive the flow for one order, as the shop has it now, and let its intentions come true if it ends well."""
        held = order.model_dump(include={"ExternalComments", "AlternateOrderID"})
        self.rows.setdefault((Order, order.OrderID), held | {"OrderID": order.OrderID})
        recorded = self._recorded()
        driver = ShadowDriver({"dataverse": RecordedReader(recorded), "shift4shop": RecordedReader(recorded)})
        ended = drive(order_to_cash, {order.key(): order}, settings, driver)[order.key()]
        if ended.error is None:
            for intention in driver.intentions:
                self._accept(intention)
            self._compute_totals()
        return Run(ended.error, driver.intentions)

    def _recorded(self) -> Mapping[tuple[type[Model], Key], Row | None]:
        recorded = _AbsentUnlessRecorded()
        for (model, id), values in self.rows.items():  # noqa: A001
            ours = [k for k in model.remote.keys if all(values.get(n) is not None for n in k)]
            keys = [tuple(sorted((n, values[n]) for n in names)) for names in ours]
            if model is not SalesOrderDetail:  # children are recorded once, under their own key
                keys.append(((model.remote.primary_id, id),))
            for key in keys:
                recorded[model, key] = Row(key, id, "1", values)
        return recorded

    def _accept(self, intention: Intention) -> None:
        model = MODELS[intention.entity]
        after = {n: value for n, (_, value) in intention.changes.items()}
        if intention.kind is WriteKind.CREATE:
            id = "new:" + ",".join(str(v) for _, v in intention.key)  # noqa: A001
            self.stand(model, id, **after, **({"statecode": 0} if model is SalesOrder else {}))
        elif intention.kind is WriteKind.UPDATE:
            self._at(model, intention.key).update(after)
        elif intention.kind is WriteKind.DELETE:
            row = self._at(model, intention.key)
            del self.rows[model, row[model.remote.primary_id]]
        elif intention.kind is WriteKind.ACT:
            self._at(model, intention.key)["statecode"] = STATES[intention.action]

    def _at(self, model: type[Model], key: Key) -> dict[str, Any]:
        return next(row for row in self.of(model) if all(row.get(n) == value for n, value in key))

    def _compute_totals(self) -> None:
        for order in self.of(SalesOrder):
            if order["statecode"] == 0 or order["totalamount"] is None:
                own = ref(SalesOrder, salesorderid=order["salesorderid"])
                lines = [SalesOrderDetail(**line) for line in self.of(SalesOrderDetail) if _points(line, own)]
                order["totalamount"] = dataverse_total(SalesOrder(**order), lines)
                order["pricingerrorcode"] = 0


def _points(line: Mapping[str, Any], own: Ref[SalesOrder]) -> bool:
    return bool(line["salesorderid"] == own)


def total(tenant: Tenant) -> Decimal:
    """Total of the one sales order that stands."""
    (order,) = tenant.of(SalesOrder)
    return Decimal(order["totalamount"])
