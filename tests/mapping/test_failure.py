"""A record that cannot be mapped: every wrong field at once, and nothing of the record itself."""

import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.errors import Disposition, RecordError

SECRET = "canary-7f3a"

SOURCE = """
STATES = table("states", {"NEW": 1})

def by_sku(sku: str) -> str:
    return {}[sku]

def loud(email: str) -> str:
    raise ValueError(f"bad address {email}")

def tagged(email: str) -> str:
    from tagline.errors import RecordError
    raise RecordError("the address is shared", code="address-shared")

@mapping
def to_sale(order: Order) -> Sale:
    sku = order.items[0].sku
    lost = by_sku(sku)
    upper = lost.upper()
    return Sale(
        salekey=order.email,
        name=upper,
        customer=ref(Account, accountkey="a"),
        note=loud(order.email),
        currency=tagged(order.email),
        state=STATES.at(order.email),
    )
"""


def failed(mapping, *args) -> RecordError:
    with pytest.raises(RecordError) as caught:
        mapping(*args)
    assert caught.value.code == "mapping-failed"
    assert caught.value.disposition is Disposition.DEAD_LETTER
    return caught.value


def said(error: RecordError) -> str:
    """Everything that a log, a dead letter or a printed traceback could show."""
    whole = "".join(traceback.format_exception(error))
    return f"{whole}{error.message}{error.hint}{error.where}{error.details}"


def test_every_wrong_field_is_listed_with_rule_sources_and_reason(load):
    module = load(SOURCE)
    error = failed(module.to_sale, module.Order(email=SECRET * 3, items=(module.Item(sku=SECRET),)))
    assert [d["field"] for d in error.details] == ["salekey", "name", "note", "currency", "state"]
    salekey, name, note, currency, state = error.details
    assert salekey == {
        "field": "salekey",
        "rule": "order.email",
        "sources": "order.email",
        "reason": "a text of 33 characters, the limit is 20",
    }
    assert name["rule"] == "upper"
    assert name["sources"] == "order.items[].sku"
    assert name["reason"] == f"KeyError at written_0.py:{module.FIRST + 3}"
    assert note["reason"] == f"ValueError at written_0.py:{module.FIRST + 6}"
    assert currency["reason"] == "the address is shared"
    assert state["reason"] == "table states has no row for a str not shown here"
    assert error.where == {"mapping": "to_sale", "field": "salekey"}


def test_no_value_of_the_record_is_told(load):
    module = load(SOURCE)
    error = failed(module.to_sale, module.Order(email=SECRET * 3, items=(module.Item(sku=SECRET),)))
    assert SECRET not in said(error)
    assert error.__cause__ is None
    assert error.__context__ is None


ANY_TEXT = st.text(alphabet="xyz", min_size=8)
ANYTHING = st.one_of(
    ANY_TEXT,
    st.integers(min_value=10**8),
    st.lists(ANY_TEXT, min_size=1),
    st.dictionaries(ANY_TEXT, ANY_TEXT, min_size=1),
    st.binary(min_size=20),
)

TYPED = """
import datetime as d
import enum
import uuid
from typing import Annotated, Literal
from pydantic import AfterValidator, Field, BaseModel

def refuse(value):
    raise ValueError(f"no {value}")

class Colour(enum.Enum):
    RED = "red"

class Inner(BaseModel):
    key: Annotated[str, Field(pattern="^a$")]

class Strict(Model):
    number: int | None = None
    amount: Decimal | None = None
    day: d.date | None = None
    moment: datetime | None = None
    flag: bool | None = None
    colour: Colour | None = None
    word: Literal["a"] | None = None
    own: Annotated[str, AfterValidator(refuse)] | None = None
    unique: uuid.UUID | None = None
    inner: Inner | None = None
    many: dict[str, int] | None = None
    some: tuple[int, ...] | None = None
    who: Ref[Account] | None = None

class Raw(Model):
    value: object = None

@mapping
def to_strict(raw: Raw) -> Strict:
    return Strict(
        number=raw.value, amount=raw.value, day=raw.value, moment=raw.value, flag=raw.value,
        colour=raw.value, word=raw.value, own=raw.value, unique=raw.value,
        inner={"key": raw.value}, many={str(raw.value): raw.value}, some=[raw.value], who=raw.value,
    )
"""


def test_whatever_the_value_and_the_type_nothing_leaks(load):
    module = load(TYPED)

    @settings(deadline=None)
    @given(value=ANYTHING)
    def check(value):
        error = failed(module.to_strict, module.Raw(value=value))
        text = said(error)
        shown = value if isinstance(value, list) else [value]
        for one in (str(v) for s in shown for v in (s if isinstance(s, dict) else [s])):
            assert one not in text
        fields = [d["field"] for d in error.details]
        # `day` is not among them: a number that is an exact midnight is a date.
        assert {"colour", "word", "unique", "inner", "who"} <= set(fields)

    check()


def test_a_wrong_reference_says_what_is_allowed(load):
    module = load(TYPED)
    who = failed(module.to_strict, module.Raw(value=SECRET)).details[-1]
    assert who["reason"] == "a str is no reference; write ref(Account, key=value)"
    other = module.ref(module.Sale, salekey=SECRET)
    error = failed(module.to_strict, module.Raw(value=other))
    assert error.details[-1]["reason"] == "refers to Sale, allowed is Account"
    assert SECRET not in said(error)


def test_an_item_of_a_list_is_told_by_its_position(load):
    module = load(TYPED)
    details = failed(module.to_strict, module.Raw(value=SECRET)).details
    (some,) = [d for d in details if d["field"] == "some"]
    assert some["reason"].startswith("item 0: Input should be a valid integer")


def test_a_nested_mapping_tells_its_own_fields(load):
    module = load(
        """
        class Document(Model):
            head: str = ""
            lines: tuple[Account, ...] = ()

        @mapping
        def to_account(item: Item) -> Account:
            return Account(accountid="x", accountkey=item.sku)

        @mapping
        def to_document(order: Order) -> Document:
            return Document(head=order.email, lines=tuple(to_account(i) for i in order.items))
        """
    )
    error = failed(module.to_document, module.Order(items=(module.Item(sku=SECRET * 3),)))
    assert [d["field"] for d in error.details] == ["lines.accountkey"]
    assert error.details[0]["rule"] == "item.sku"


def test_an_assignment_that_no_rule_uses_is_told_too(load):
    module = load(
        """
        @mapping
        def to_item(order: Order) -> Item:
            idle = order.items[5]
            return Item(sku="x")
        """
    )
    (detail,) = failed(module.to_item, module.Order()).details
    assert (detail["field"], detail["rule"]) == ("(idle)", "idle = order.items[5]")
    assert detail["reason"].startswith("IndexError at ")


def test_a_guard_that_fails_is_told_and_one_that_holds_hides_the_rules_below(load):
    module = load(
        """
        MISSING = 1

        @mapping
        def to_item(order: Order) -> Item | None:
            first = order.items[0]
            if order.street is None:
                return None
            if MISSING.street is None:
                return None
            return Item(sku=MISSING.street)
        """
    )
    with_street = module.Order(street="s", items=(module.Item(),))
    assert [d["field"] for d in failed(module.to_item, with_street).details] == ["*", "sku"]
    assert [d["field"] for d in failed(module.to_item, module.Order()).details] == ["(first)"]


def test_a_rule_that_fails_only_in_the_whole_call_is_told_as_a_whole(load):
    module = load(
        """
        class Calls(list):
            def tick(self):
                self.append(1)
                if len(self) == 1:
                    raise ValueError("first time only")
                return "x"

        CALLS = Calls()

        @mapping
        def to_item(order: Order) -> Item:
            return Item(sku=CALLS.tick())
        """
    )
    (detail,) = failed(module.to_item, module.Order()).details
    assert detail["field"] == "*"
    assert detail["reason"].startswith("ValueError at ")


def test_explaining_leaves_the_module_as_it_was(load):
    module = load(SOURCE)
    before = dict(vars(module))
    failed(module.to_sale, module.Order(email=SECRET * 3))
    assert dict(vars(module)) == before


def test_rules_see_closures_and_defaults(load):
    module = load(
        """
        def make(limit: int):
            @mapping
            def to_item(order: Order, label: str = "d") -> Item:
                return Item(sku=label + order.email[:limit], price=[label + str(limit) for _ in order.items])
            return to_item

        to_item = make(3)
        """
    )
    error = failed(module.to_item, module.Order())
    assert [d["field"] for d in error.details] == ["price"]
    assert error.details[0]["reason"].startswith("Decimal input should be")


def test_success_is_the_functions_own_result(load):
    module = load("@mapping\ndef to_item(order: Order) -> Item:\n    return Item(sku=order.email)\n")
    assert module.to_item(module.Order(email="e")) == module.to_item.function(module.Order(email="e"))
