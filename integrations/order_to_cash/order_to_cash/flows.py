"""What starts an order's way, and the order of its effects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from order_to_cash.connections import shop
from order_to_cash.mappings.account import to_account
from order_to_cash.mappings.contact import to_contact
from order_to_cash.mappings.sales_order import to_sales_order
from order_to_cash.mappings.sales_order_line import to_product_line, to_text_line
from order_to_cash.mappings.shop_reference import to_shop_reference
from order_to_cash.settings import OrderToCashSettings, Stage
from order_to_cash.transforms import (
    NOT_COMPLETED,
    agrees,
    customer_key,
    customer_of,
    guest_key,
    is_company,
    is_discount_row,
    is_known_buyer,
    is_locked,
    is_personal_email,
    order_key,
    product_of,
    row_ref,
    rows_are_distinct,
    skus,
    stage_of,
    total_adds_up,
)
from tagline import (
    Found,
    Model,
    Ref,
    act,
    every,
    expect,
    find,
    find_all,
    flow,
    reject,
    require,
    update,
    upsert,
    upsert_all,
)
from tagline.connectors.dataverse import Account, Contact, Product, SalesOrder, SalesOrderDetail
from tagline.connectors.shift4shop import Order
from tagline.mapping import MappingFunction
from tagline.mapping.transforms import money

M = TypeVar("M", bound=Model)


@flow(on=[shop.order_placed, shop.order_changed], sweep=every(minutes=5), key=Order.key)
async def order_to_cash(order: Order, settings: OrderToCashSettings) -> None:
    """
    A completed order becomes a sales order with its customer and lines; its state follows last, then the shop learns the id.

    Whatever can be refused is refused before the first write, so that an order set aside has left nothing behind.
    """
    if order.OrderStatusID == NOT_COMPLETED or settings.is_before_start(order.OrderDate):
        return
    stage = stage_of(order, settings)
    require_sound(order)

    standing = await find(
        SalesOrder, "statecode", "totalamount", "customerid", tl_orderkey=order_key(order, settings)
    )
    if standing is None or not is_locked(standing):
        products = await find_all(
            Product, "productid", "statecode", "defaultuomid", by="productnumber", values=skus(order)
        )
        lines = to_lines(order, products, settings)
        customer = customer_of(standing) or await stand_customer(order, settings)
        sales_order = await upsert(to_sales_order(order, customer, settings))
        await upsert_all(lines, within=sales_order, by="salesorderid", model=SalesOrderDetail)
        await expect(
            sales_order, cause="total-differs", totalamount=money(order.OrderAmount), pricingerrorcode=0
        )
    elif agrees(order, standing, stage):
        sales_order = standing
    elif settings.edit_after_submit == "ignore":
        return
    else:
        reject(
            "order-locked",
            "the shop's order and its locked sales order differ in total or state",
            field="statecode",
            hint="settle it in Dataverse by hand, or set edit_after_submit to ignore; then redrive",
        )

    if stage is Stage.FULFILLED:
        await act(sales_order, "FulfillSalesOrder", when={"statecode": (0, 1)}, Status=100001)
    if stage is Stage.CANCELLED:
        await act(sales_order, "CancelSalesOrder", when={"statecode": (0, 1)}, Status=4)
    await update(to_shop_reference(order, sales_order, settings))


def require_sound(order: Order) -> None:
    """Set aside what no target could hold: an order without rows, or one that does not sum."""
    require(
        bool(order.OrderItemList),
        cause="order-without-rows",
        message="the order has no rows",
        field="OrderItemList",
        hint="complete the order in the shop, then redrive",
    )
    require(
        rows_are_distinct(order),
        cause="order-rows-repeated",
        message="two rows of the order have the same ItemIndexID",
        field="OrderItemList[].ItemIndexID",
        hint="correct the order in the shop, then redrive",
    )
    require(
        total_adds_up(order),
        cause="order-total-differs",
        message="OrderAmount is not the sum of rows, shipping and taxes less the discount",
        field="OrderAmount",
        hint="correct the order in the shop, then redrive",
    )


def to_lines(
    order: Order, products: Mapping[Any, Found], settings: OrderToCashSettings
) -> list[SalesOrderDetail]:
    """The order's lines; a SKU that cannot be sold ends the order as `unknown-sku`, or becomes text by setting."""
    sold = [(item, product_of(item, products)) for item in order.OrderItemList]
    unknown = {
        at: item.ItemID
        for at, (item, product) in enumerate(sold)
        if product is None and not is_discount_row(item)
    }
    if unknown and settings.unknown_sku == "dead_letter":
        reject(
            "unknown-sku",
            f"no active product has the number {', '.join(map(repr, dict.fromkeys(unknown.values())))}",
            field=[f"OrderItemList.{at}.ItemID" for at in unknown],
            hint="create or activate the product in Dataverse, or correct the SKU in the shop; then redrive",
        )
    return [
        to_text_line(item, order, settings)
        if product is None
        else to_product_line(item, order, product, settings)
        for item, product in sold
    ]


async def stand_customer(order: Order, settings: OrderToCashSettings) -> Ref[Account | Contact]:
    """
    Make the buyer stand in Dataverse: a company as an account with a contact, a person as the setting says.

    A buyer whom nobody could tell from another ends the order as `customer-needs-review`.
    """
    require(
        is_known_buyer(order, settings),
        cause="customer-needs-review",
        message="a guest without an e-mail, or with one that several people read, cannot be told from another buyer",
        field="BillingEmail",
        hint="give the order a customer in the shop, or take the mailbox out of the setting shared_mailboxes; then redrive",
    )
    if not is_company(order) and settings.person_as == "contact":
        contact = await standing_row(Contact, to_contact, order, settings)
        return row_ref(Contact, await upsert(to_contact(order, contact, None, settings)))
    account = await standing_row(Account, to_account, order, settings)
    written = await upsert(to_account(order, account, settings))
    customer = row_ref(Account, written)
    if is_company(order):
        contact = await standing_row(Contact, to_contact, order, settings)
        await upsert(to_contact(order, contact, customer, settings))
    return customer


async def standing_row(
    model: type[M], mapping: MappingFunction[..., M], order: Order, settings: OrderToCashSettings
) -> Found | None:
    """
    The buyer's row as it stands, with the columns that the mapping may fill.

    A customer who bought as a guest before registering stands under the e-mail; the mapping then gives that row
    the customer's key.
    """
    names = tuple(rule.target for rule in mapping.rules)
    found = await find(model, *names, tl_customerkey=customer_key(order, settings))
    if found is None and order.CustomerID and is_personal_email(order, settings):
        found = await find(model, *names, tl_customerkey=guest_key(order, settings))
    return found
