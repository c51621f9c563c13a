"""Orders as the shop sends them: one to vary by hand, and a strategy for all that add up."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import strategies as st
from order_to_cash.settings import OrderToCashSettings

from tagline import Found, ref
from tagline.connectors.dataverse import Product, SalesOrder, SalesOrderDetail, UnitOfMeasure
from tagline.connectors.shift4shop import Order, OrderItem, Shipment

SETTINGS = OrderToCashSettings(price_level="Web Shop")
CENT = Decimal("0.01")


def make_item(index: int = 1, **fields: Any) -> OrderItem:
    values = {
        "ItemIndexID": index,
        "ItemID": f"SKU-{index}",
        "ItemQuantity": Decimal(1),
        "ItemUnitPrice": Decimal("10.00"),
        "ItemDescription": f"Thing {index}",
    }
    return OrderItem(**{**values, **fields})


def make_order(*items: OrderItem, **fields: Any) -> Order:
    """An order of a person that adds up, whatever its items, shipping, taxes and discount are."""
    values: dict[str, Any] = {
        "OrderID": 1042,
        "InvoiceNumberPrefix": "AB-",
        "InvoiceNumber": 9001,
        "CustomerID": 77,
        "OrderDate": datetime(2026, 11, 2, 15, 30, tzinfo=UTC),
        "OrderStatusID": 1,
        "BillingFirstName": "Ada",
        "BillingLastName": "Byron",
        "BillingEmail": "Ada+shop@example.com",
        "BillingAddress": "1 Main St",
        "BillingCity": "Boston",
        "BillingState": "MA",
        "BillingZipCode": "02110",
        "BillingCountry": "US",
        "BillingPhoneNumber": "555-0100",
        "OrderItemList": items or (make_item(),),
        "ShipmentList": (
            Shipment(
                ShipmentNumber=1,
                ShipmentFirstName="Ada",
                ShipmentLastName="Byron",
                ShipmentAddress="2 Side St",
                ShipmentCity="Cambridge",
                ShipmentState="MA",
                ShipmentZipCode="02139",
                ShipmentCountry="US",
                ShipmentCost=Decimal("5.00"),
                ShipmentTax=fields.get("SalesTax", Decimal(0)),  # the shop repeats the order's tax there
            ),
        ),
        "store_currency": "USD",
        **fields,
    }
    order = Order(**values)
    return order if "OrderAmount" in fields else order.model_copy(update={"OrderAmount": shop_total(order)})


def shop_total(order: Order) -> Decimal:
    """The shop's arithmetic, written down a second time."""
    goods = sum(
        ((i.ItemUnitPrice + i.ItemOptionPrice) * i.ItemQuantity for i in order.OrderItemList), Decimal(0)
    )
    shipping = sum((s.ShipmentCost for s in order.ShipmentList), Decimal(0))
    tax = order.SalesTax + order.SalesTax2 + order.SalesTax3
    return (goods + shipping + tax - order.OrderDiscount).quantize(CENT, ROUND_HALF_UP)


def dataverse_total(header: SalesOrder, lines: Sequence[SalesOrderDetail]) -> Decimal:
    """System pricing as Dataverse does it: reference/dataverse-api.md 15.3."""
    total = (header.freightamount or Decimal(0)) - (header.discountamount or Decimal(0))
    for line in lines:
        assert line.priceperunit is not None
        assert line.quantity is not None
        base = (line.priceperunit * line.quantity).quantize(CENT, ROUND_HALF_UP)
        total += base - (line.manualdiscountamount or Decimal(0)) + (line.tax or Decimal(0))
    return total


def product(sku: str = "SKU-1", *, statecode: int = 0) -> Found:
    """A product as it is found."""
    unit = ref(UnitOfMeasure, uomid="unit-1")
    values = {"productid": f"id of {sku}", "statecode": statecode, "defaultuomid": unit}
    return Found(Product, (("productnumber", sku),), f"id of {sku}", values=values)


def cents(lowest: int, highest: int) -> st.SearchStrategy[Decimal]:
    return st.integers(lowest, highest).map(lambda n: Decimal(n) * CENT)


def ordinary_items(index: int) -> st.SearchStrategy[OrderItem]:
    """Whole cents, whole units; zero is a bundle part."""
    return st.builds(
        make_item,
        st.just(index),
        ItemUnitPrice=cents(0, 30_000),
        ItemOptionPrice=cents(0, 500),
        ItemQuantity=st.integers(1, 12).map(Decimal),
    )


def awkward_items(index: int) -> st.SearchStrategy[OrderItem]:
    """Percentages that leave four decimals, fractions of a unit, ties at half a cent."""
    discounts = st.builds(
        make_item,
        st.just(index),
        ItemID=st.just(""),
        ItemUnitPrice=st.just(Decimal(0)),
        ItemOptionPrice=st.integers(-99_999, -1).map(lambda n: Decimal(n) / 10_000),
        ItemDescription=st.just("10% Discount"),
    )
    fractions = st.builds(
        make_item,
        st.just(index),
        ItemUnitPrice=st.integers(0, 99_999).map(lambda n: Decimal(n) / 1_000),
        ItemQuantity=st.sampled_from([Decimal(t) for t in ("0.5", "1.5", "2.25", "3", "7")]),
    )
    return discounts | fractions


@st.composite
def orders(draw: st.DrawFn, *, awkward: bool = True) -> Order:
    """Orders that add up, with equal rows among them, so that remainders tie."""
    count = draw(st.integers(1, 6))
    kinds = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    items = [
        draw(awkward_items(n) if odd and awkward else ordinary_items(n)) for n, odd in enumerate(kinds, 1)
    ]
    if draw(st.booleans()):
        items = [items[0].model_copy(update={"ItemIndexID": n}) for n in range(1, count + 1)]
    taxes = draw(st.lists(cents(0, 5_000), min_size=3, max_size=3))
    return make_order(
        *items,
        SalesTax=taxes[0],
        SalesTax2=taxes[1],
        SalesTax3=taxes[2],
        OrderDiscount=draw(cents(0, 1_000)),
        ShipmentList=tuple(
            Shipment(ShipmentNumber=n, ShipmentCost=cost, ShipmentTax=taxes[0])
            for n, cost in enumerate(draw(st.lists(cents(0, 3_000), min_size=1, max_size=3)), 1)
        ),
    )
