"""Who orders what: drafts of orders, drawn by seed with the mix that real stores show, and the awkward ones by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from random import Random

from tagline.sandbox.catalogue import LIMITED, PRODUCTS, Product

GUEST_SHARE = 0.44
"""Guests among recorded orders: 136 of 306 (3dcart notes, 5.1)."""
ZERO = Decimal(0)
CENT = Decimal("0.01")


class Payment(StrEnum):
    CARD = "card"
    PAYPAL = "paypal"
    GIFT = "gift"
    """A gift certificate covers all of it."""
    GIFT_AND_CARD = "gift-and-card"
    CHECK = "check"
    """Offline and still awaited: no transaction."""


@dataclass(frozen=True)
class Shopper:
    first: str
    last: str
    email: str
    street: str
    city: str
    state: str
    zip: str
    country: str = "US"
    company: str = ""
    phone: str = ""
    customer_id: int = 0
    """0 for a guest."""


@dataclass(frozen=True)
class Line:
    product: Product
    quantity: int = 1
    choice: int = 0
    """Index into the product's choices."""
    bundle_of: tuple[Product, ...] = ()
    """Parts that follow as rows of price 0."""


@dataclass(frozen=True)
class Draft:
    """An order before the shop has numbered it."""

    shopper: Shopper
    lines: tuple[Line, ...]
    shipping: Decimal = Decimal("6.95")
    tax: Decimal = ZERO
    discount: Decimal = ZERO
    payment: Payment = Payment.CARD
    status: int = 1
    age: timedelta = timedelta(0)
    """How long before now it was placed."""
    tracking: str = ""
    comments: str = ""
    amount: Decimal | str | None = None
    """Stands in the order as its total instead of the right one."""


_PEOPLE = (
    ("Ada", "Whitfield", "Savannah", "GA", "31401"),
    ("Zoë", "Núñez-Ørsted", "Austin", "TX", "78701"),
    ("Søren", "Åkesson", "Portland", "OR", "97201"),
    ("Mary Ann", "O'Neill", "Boston", "MA", "02108"),
    ("Jürgen", "Groß", "Milwaukee", "WI", "53202"),
    ("Li", "王", "Seattle", "WA", "98101"),
    ("Priya", "Raghunathan", "Edison", "NJ", "08817"),
    ("Tom", "Baker", "Denver", "CO", "80202"),
    ("Élodie", "Lefèvre", "New Orleans", "LA", "70112"),
    ("Grace", "Okafor", "Atlanta", "GA", "30303"),
    ("Dmitri", "Волков", "Brooklyn", "NY", "11201"),
    ("Hana", "Kowalski", "Chicago", "IL", "60601"),
)
COMPANIES = (
    "Blue Kettle Café",
    "Harbor & Sons",
    "Northside Offices LLC",
    "Fjord Imports",
    "Tea/Time Catering",
)
REGISTERED = 24
"""How many registered customers the shop has; their ids start at 501."""


def registered(index: int) -> Shopper:
    """A registered customer; the same one for the same index."""
    first, last, city, state, postcode = _PEOPLE[index % len(_PEOPLE)]
    return Shopper(
        first,
        last,
        f"customer{501 + index}@example.com",
        f"{10 + index * 7} Market Street",
        city,
        state,
        postcode,
        company=COMPANIES[index % len(COMPANIES)] if index % 6 == 1 else "",
        phone=f"555-01{index:02}",
        customer_id=501 + index,
    )


def draw(random: Random) -> Draft:
    """One order of the usual mix."""
    shopper = _guest(random) if random.random() < GUEST_SHARE else registered(random.randrange(REGISTERED))
    lines = tuple(_line(random) for _ in range(random.choice((1, 1, 2, 2, 3))))
    if random.random() < 0.08:
        lines = (replace(lines[0], bundle_of=tuple(random.sample(PRODUCTS, 2))), *lines[1:])
    goods = sum(((line.product.price + option_price(line)) * line.quantity for line in lines), ZERO)
    draft = Draft(
        shopper,
        lines,
        shipping=random.choice((ZERO, Decimal("4.50"), Decimal("6.95"), Decimal("12.00"))),
        tax=_share(goods, "0.0825") if random.random() < 0.5 else ZERO,
        discount=_share(goods, "0.10") if random.random() < 0.15 else ZERO,
        payment=random.choice((Payment.CARD, Payment.CARD, Payment.PAYPAL)),
        comments=random.choice(("", "", "", "Please ring twice.\r\nThank you!")),
    )
    chance = random.random()
    if chance < 0.06:
        return replace(draft, payment=random.choice((Payment.GIFT, Payment.GIFT_AND_CARD)))
    if chance < 0.12:
        return replace(draft, payment=Payment.CHECK, status=11)
    if chance < 0.17:
        return replace(
            draft, status=4, age=timedelta(days=random.randrange(20, 400)), tracking="1Z999AA10123456784"
        )
    return draft


def _guest(random: Random) -> Shopper:
    first, last, city, state, postcode = random.choice(_PEOPLE)
    number = random.randrange(10_000)
    tag = "+tea" if random.random() < 0.2 else ""
    return Shopper(
        first,
        last,
        f"guest{number}{tag}@example.net",
        f"{number % 900 + 1} Elm Road",
        city,
        state,
        postcode,
        company=random.choice(COMPANIES) if random.random() < 0.1 else "",
        phone=f"({number % 800 + 200}) 555-{number:04}",
    )


def _line(random: Random) -> Line:
    product = random.choice(PRODUCTS)
    choice = random.randrange(len(product.choices)) if product.choices else 0
    return Line(product, random.choice((1, 1, 1, 2, 3, 12)), choice)


def option_price(line: Line) -> Decimal:
    """What the chosen size adds, per unit."""
    return line.product.choices[line.choice][1] if line.product.choices else ZERO


def _share(goods: Decimal, rate: str) -> Decimal:
    return (goods * Decimal(rate)).quantize(CENT, ROUND_HALF_UP)


def awkward() -> Mapping[str, Draft]:
    """The cases that integrations get wrong, one order each; always the same."""
    guest = Shopper("Grace", "Okafor", "grace@example.net", "5 Elm Road", "Atlanta", "GA", "30303")
    member = registered(3)
    tea, coffee, cup = PRODUCTS[1], PRODUCTS[12], PRODUCTS[24]
    plain = Draft(member, (Line(tea, 2),))
    return {
        "guest": replace(plain, shopper=guest),
        "plus_email": replace(plain, shopper=replace(guest, email="grace+tea/2@example.net")),
        "header_tax": Draft(member, (Line(tea, 1, 1), Line(coffee, 3), Line(cup, 1)), tax=Decimal("7.01")),
        "gift_certificate": replace(plain, payment=Payment.GIFT_AND_CARD),
        "line_removed_later": Draft(member, (Line(tea, 1), Line(cup, 4)), tax=Decimal("3.33")),
        "old_shipped": replace(plain, status=4, age=timedelta(days=700), tracking="1Z999AA10123456784"),
        "unknown_sku": replace(plain, lines=(Line(tea, 1), Line(LIMITED, 1))),
        "impossible_total": replace(plain, amount=Decimal("1.00")),
        "unmapped_status": replace(plain, status=18),
        "malformed": replace(plain, amount="n/a"),
        "card_data": replace(plain, payment=Payment.CARD, shopper=registered(5)),
    }
