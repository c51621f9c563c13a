"""The trade of the years before, in an organisation: orders and invoices in all their states, warehouses, vendors, purchases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from tagline.sandbox.dataverse_actions import invoice_of
from tagline.sandbox.dataverse_body import money
from tagline.sandbox.dataverse_documents import CANCELED, FULFILLED, PAID, SUBMITTED
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_rows import Link, Rows
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.finance_seed import WAREHOUSES
from tagline.sandbox.seed import PRICE_LIST, UNIT
from tagline.sandbox.shoppers import option_price
from tagline.sandbox.trade import VENDOR_NUMBERS, End, Event, Purchase, Sale, Stock, began, bought_for, relive

VENDOR_ACCOUNT: Final = 11
"""customertypecode of an account that is a vendor."""
SUBMITTED_PURCHASE, RECEIVED_PURCHASE, APPROVED = 690970001, 690970003, 690970000
UNPAID_SHARE: Final = 8
"""One in so many invoices is still to be paid."""


def write_trade(rows: Rows, new_id: Callable[[], str], sales: Sequence[Sale], stock: Sequence[Stock]) -> None:
    """
    Type in what was bought and sold, each row dated when it was; the caller holds the transaction.

    Args:
        stock: What lies where today.
    """
    purchases = list(bought_for(sales))
    clock = began(purchases)
    typist = _Typist(Records(rows, clock, new_id))
    typist.places(purchases)
    events = [
        *(e for p in purchases for e in typist.purchase(p)),
        *(e for s in sales for e in typist.sale(s)),
    ]
    relive(clock, events)
    typist.stock(stock)


class _Typist:
    """Somebody who enters what happens, knowing the rows that it happens to by name."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._customers = self._by("account", "telephone1")
        self._products = self._by("product", "productnumber")
        self._price_list = self._by("pricelevel", "name")[PRICE_LIST]
        self._unit = self._by("uom", "name")[UNIT]
        self._dollars = self._by("transactioncurrency", "isocurrencycode")["USD"]
        self._warehouses: dict[str, Link] = {}
        self._vendors: dict[str, Link] = {}
        self._invoices = 0

    def _by(self, table: str, column: str) -> Mapping[str, Link]:
        known = tables()[table]
        rows = self._records.rows.all(known)
        return {row[column]: (table, row[known.primary_id]) for row in rows if row.get(column)}

    def _create(self, table: str, values: Mapping[str, Any]) -> Link:
        return table, self._records.create(tables()[table], values)[0]

    def _update(self, link: Link, **changes: Any) -> None:
        self._records.update(tables()[link[0]], link[1], changes)

    def places(self, purchases: Sequence[Purchase]) -> None:
        """The warehouses, and the vendors, each of them an account too."""
        for _, number, name, _ in WAREHOUSES:
            values = {"msdyn_name": name, "msdyn_warehouseidentifier": number}
            self._warehouses[number] = self._create("msdyn_warehouse", values)
        for name in dict.fromkeys(one.vendor for one in purchases):
            account = {
                "name": name,
                "accountnumber": VENDOR_NUMBERS[name],
                "customertypecode": VENDOR_ACCOUNT,
            }
            self._vendors[name] = self._create("account", account)
            self._create(
                "msdyn_vendor", {"msdyn_name": name, "msdyn_vendoraccountnumber": VENDOR_NUMBERS[name]}
            )

    def purchase(self, purchase: Purchase) -> Iterator[Event]:
        made: list[Link] = []

        def ordered() -> None:
            values = {
                "msdyn_name": purchase.name,
                "msdyn_vendor": self._vendors[purchase.vendor],
                "msdyn_receivetowarehouse": self._warehouses[WAREHOUSES[0][1]],
                "msdyn_purchaseorderdate": self._records.now(),
                "msdyn_systemstatus": SUBMITTED_PURCHASE,
                "msdyn_approvalstatus": APPROVED,
                "msdyn_totalamount": money(purchase.cost),
                "transactioncurrencyid": self._dollars,
            }
            made.append(self._create("msdyn_purchaseorder", values))

        yield Event(purchase.placed, ordered)
        if purchase.arrived is not None:
            yield Event(purchase.arrived, lambda: self._update(made[0], msdyn_systemstatus=RECEIVED_PURCHASE))

    def sale(self, sale: Sale) -> Iterator[Event]:
        made: list[Link] = []
        yield Event(sale.placed, lambda: made.append(self._order(sale)))
        if sale.end is not End.OPEN:
            yield Event(sale.settled, lambda: self._settle(made[0], sale))

    def _order(self, sale: Sale) -> Link:
        draft, shopper = sale.draft, sale.draft.shopper
        order = self._create(
            "salesorder",
            {
                "name": sale.name,
                "customerid": self._customers[shopper.phone],
                "pricelevelid": self._price_list,
                "transactioncurrencyid": self._dollars,
                "emailaddress": shopper.email,
                "freightamount": money(draft.shipping),
                "discountamount": money(draft.discount),
                "shipto_name": f"{shopper.first} {shopper.last}",
                "shipto_line1": shopper.street,
                "shipto_city": shopper.city,
                "shipto_stateorprovince": shopper.state,
                "shipto_postalcode": shopper.zip,
                "shipto_country": shopper.country,
            },
        )
        for number, line in enumerate(draft.lines, 1):
            more = option_price(line)
            dearer = (
                {"ispriceoverridden": True, "priceperunit": money(line.product.price + more)} if more else {}
            )
            self._create(
                "salesorderdetail",
                {
                    "salesorderid": order,
                    "lineitemnumber": number,
                    "productid": self._products[line.product.sku],
                    "uomid": self._unit,
                    "quantity": Decimal(line.quantity).quantize(Decimal("1.0000000000")),
                    **dearer,
                    **({"tax": money(draft.tax)} if number == 1 and draft.tax else {}),
                },
            )
        return order

    def _settle(self, order: Link, sale: Sale) -> None:
        today = self._records.now()[:10]
        if sale.end is End.SUBMITTED:
            self._update(order, statecode=SUBMITTED, submitdate=today)
            return
        closed = {"subject": f"{sale.end.value.capitalize()}: {sale.name}", "salesorderid": order}
        if sale.end is End.CANCELED:
            self._update(order, statecode=CANCELED)
        else:
            self._update(order, statecode=FULFILLED, datefulfilled=today)
        self._update(self._create("orderclose", {**closed, "actualend": self._records.now()}), statecode=1)
        if sale.end is End.INVOICED:
            invoice = invoice_of(self._records, order[1])
            self._invoices += 1
            if self._invoices % UNPAID_SHARE:
                self._update(("invoice", invoice), statecode=PAID)

    def stock(self, stock: Sequence[Stock]) -> None:
        """What lies where today, as Finance has it."""
        for one in stock:
            if one.sku in self._products and one.warehouse in self._warehouses:
                values = {
                    "msdyn_name": f"{one.sku} in {one.warehouse}",
                    "msdyn_product": self._products[one.sku],
                    "msdyn_warehouse": self._warehouses[one.warehouse],
                    "msdyn_unit": self._unit,
                    "msdyn_qtyonhand": one.on_hand,
                    "msdyn_qtyallocated": one.reserved,
                    "msdyn_qtyavailable": one.on_hand - one.reserved,
                    "msdyn_qtyonorder": one.ordered,
                }
                self._create("msdyn_productinventory", values)
