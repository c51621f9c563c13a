"""The order's lines: one that sells a product, one that is text with a price."""

from __future__ import annotations

from order_to_cash.settings import OrderToCashSettings
from order_to_cash.transforms import (
    default_unit,
    line_discount,
    line_key,
    order_key,
    row_amount,
    row_tax,
    row_text,
    text_line_key,
    unit_price,
)
from tagline import Found, mapping, ref
from tagline.connectors.dataverse import Product, SalesOrder, SalesOrderDetail
from tagline.connectors.shift4shop import Order, OrderItem
from tagline.mapping.transforms import cut


@mapping
def to_product_line(
    item: OrderItem, order: Order, product: Found, settings: OrderToCashSettings
) -> SalesOrderDetail:
    """A row that sells a product becomes a line at the shop's price; bundle parts are rows of price zero."""
    amount = row_amount(item, order)
    return SalesOrderDetail(
        tl_linekey=line_key(item, order, settings),
        salesorderid=ref(SalesOrder, tl_orderkey=order_key(order, settings)),
        productid=ref(Product, productid=product.id),
        uomid=default_unit(product),
        ispriceoverridden=True,
        quantity=item.ItemQuantity,
        priceperunit=unit_price(item, amount),  # of one unit, options included
        manualdiscountamount=line_discount(item, amount),
        tax=row_tax(item, order),
        description=cut(row_text(item), 2000),
        lineitemnumber=item.ItemIndexID,
    )


@mapping
def to_text_line(item: OrderItem, order: Order, settings: OrderToCashSettings) -> SalesOrderDetail:
    """A row without a product becomes text with a price: a discount shown as an item, or an unknown SKU where that is wanted."""
    amount = row_amount(item, order)
    return SalesOrderDetail(
        tl_linekey=text_line_key(item, order, settings),
        salesorderid=ref(SalesOrder, tl_orderkey=order_key(order, settings)),
        isproductoverridden=True,
        productdescription=cut(row_text(item), 500),
        quantity=item.ItemQuantity,
        priceperunit=unit_price(item, amount),  # negative on a discount
        manualdiscountamount=line_discount(item, amount),
        tax=row_tax(item, order),
        lineitemnumber=item.ItemIndexID,
    )
