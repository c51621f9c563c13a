"""What a Finance environment holds before tagline comes: two companies, the shop's products and prices, customers, stock, vendors."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any, Final

from tagline.sandbox.catalogue import PRODUCTS, Product
from tagline.sandbox.finance_records import FinanceRecords
from tagline.sandbox.finance_schema import COMPANY, entities
from tagline.sandbox.finance_stock import ON_HAND, totalled
from tagline.sandbox.shoppers import COMPANIES, registered
from tagline.sandbox.trade import VENDORS

DEFAULT_COMPANY: Final = "usmf"
OTHER_COMPANY: Final = "camf"
CURRENCIES: Final = {DEFAULT_COMPANY: "USD", OTHER_COMPANY: "CAD"}
CHART: Final = "Shared"
CUSTOMERS: Final = 30
DEAR: Final = Decimal("1.37")
"""Canadian dollars for a US dollar, in the second company's prices."""
CENT = Decimal("0.01")
WAREHOUSES = (("1", "11", "Main warehouse", 60), ("1", "12", "Outlet", 15), ("2", "21", "Returns", 0))
"""Site, number, name, and about how many pieces of everything lie there."""


def fill_finance(records: FinanceRecords, seed: int) -> None:
    """Type in what a customer's environment already holds; the shop's newest product is missing, as it is in Dataverse."""
    random = Random(f"finance stock {seed}")  # noqa: S311 - sample data, repeatable by seed
    for code, name, symbol in (("USD", "US Dollar", "$"), ("CAD", "Canadian Dollar", "$")):
        _add(records, "Currencies", CurrencyCode=code, Name=name, Symbol=symbol)
    for number, name in (
        ("110110", "Bank account"),
        ("130100", "Accounts receivable"),
        ("401100", "Product sales"),
    ):
        _add(records, "MainAccounts", ChartOfAccounts=CHART, MainAccountId=number, Name=name)
    for company, name in ((DEFAULT_COMPANY, "Tea Traders USA"), (OTHER_COMPANY, "Tea Traders Canada")):
        _add(records, "LegalEntities", LegalEntityId=company, Name=name, LanguageId="en-us")
        _company(records, company, random)


def add_released_product(records: FinanceRecords, product: Product, company: str) -> None:
    """Release a product to a company, priced by a trade agreement."""
    rate = DEAR if CURRENCIES[company] == "CAD" else Decimal(1)
    price = (product.price * rate).quantize(CENT, ROUND_HALF_UP)
    _add(
        records,
        "ReleasedProductsV2",
        company,
        ItemNumber=product.sku,
        ProductNumber=product.sku,
        ProductName=product.name,
        SearchName=product.name[:20],
        ItemModelGroupId="FIFO",
        ProductGroupId=product.sku[:3],
        InventoryUnitSymbol="ea",
        SalesUnitSymbol="ea",
        PurchaseUnitSymbol="ea",
        SalesPrice=price,
        SalesPriceQuantity=Decimal(1),
        PurchasePrice=(price / 2).quantize(CENT, ROUND_HALF_UP),
        NetProductWeight=product.weight,
    )
    _add(
        records,
        "SalesPriceAgreements",
        company,
        ItemNumber=product.sku,
        ProductNumber=product.sku,
        PriceCurrencyCode=CURRENCIES[company],
        Price=price,
        SalesPriceQuantity=Decimal(1),
        QuantityUnitSymbol="ea",
    )


def _company(records: FinanceRecords, company: str, random: Random) -> None:
    currency = CURRENCIES[company]
    for site, number, name, _ in WAREHOUSES:
        _add(records, "Warehouses", company, WarehouseId=number, WarehouseName=name, OperationalSiteId=site)
    for name, kind in (("CustPay", "CustPayment"), ("GenJrn", "Daily")):
        _add(records, "JournalNames", company, Name=name, Type=kind)
    for name in ("CARD", "PAYPAL", "CHECK", "GIFT"):
        _add(records, "CustomerPaymentMethods", company, Name=name)
    for product in PRODUCTS:
        add_released_product(records, product, company)
        _stock(records, product, company, random)
    for index in range(CUSTOMERS if company == DEFAULT_COMPANY else CUSTOMERS // 3):
        shopper = registered(index)
        person = index % 2 == 0
        _add(
            records,
            "CustomersV3",
            company,
            CustomerGroupId="30" if person else "20",
            SalesCurrencyCode=currency,
            OrganizationName=f"{shopper.first} {shopper.last}"
            if person
            else f"{COMPANIES[index % len(COMPANIES)]} {index + 1}",
            PartyNumber=f"P{index + 1:06}",
            PrimaryContactEmail=shopper.email,
            PrimaryContactPhone=shopper.phone,
            AddressStreet=shopper.street,
            AddressCity=shopper.city,
            AddressState=shopper.state,
            AddressZipCode=shopper.zip,
            AddressCountryRegionId="USA" if company == DEFAULT_COMPANY else "CAN",
            LanguageId="en-us",
            SiteId="1",
            WarehouseId="11",
        )
    for name in VENDORS:
        _add(
            records,
            "VendorsV2",
            company,
            VendorOrganizationName=name,
            VendorGroupId="10",
            CurrencyCode=currency,
        )


def _stock(records: FinanceRecords, product: Product, company: str, random: Random) -> None:
    for site, number, _, about in WAREHOUSES:
        pieces = random.randint(about // 2, about * 2) if about else 0
        if pieces:
            row = {
                COMPANY: company,
                "ItemNumber": product.sku,
                "ProductName": product.name,
                "InventorySiteId": site,
                "InventoryWarehouseId": number,
                "OnHandQuantity": Decimal(pieces),
            }
            records.rows.put(entities()[ON_HAND], totalled(row))


def _add(records: FinanceRecords, entity_set: str, company: str = "", **values: Any) -> None:
    given: Mapping[str, Any] = {**values, **({COMPANY: company} if company else {})}
    records.create(entities()[entity_set], given)
