"""A mapping as a table, for documentation and for one record."""

import pytest

from tagline.domain.model import KEEP
from tagline.errors import RecordError
from tagline.mapping.table import explain, markdown, value_at

SOURCE = """
class Document(Model):
    head: str = ""
    note: str | None = None
    lines: tuple[Account, ...] = ()

@mapping
def to_account(item: Item) -> Account:
    return Account(accountkey=item.sku)

@mapping
def to_document(order: Order, label: str) -> Document | None:
    if order.street is None:
        return None
    return Document(
        head=order.email or "a | b",
        note=KEEP if label else order.street,
        lines=tuple(to_account(i) for i in order.items),
    )
"""


def test_the_table_lists_target_rule_and_sources_with_nested_rules_below(load):
    assert markdown(load(SOURCE).to_document) == (
        "| target | rule | sources |\n"
        "|---|---|---|\n"
        "| `head` | `order.email or 'a \\| b'` | `order.email` |\n"
        "| `note` | `KEEP if label else order.street` | `label`, `order.street` |\n"
        "| `lines` | `tuple((to_account(i) for i in order.items))` | `order.items[].sku` |\n"
        "| `lines[].accountkey` | `item.sku` | `order.items[].sku` |\n"
    )


def test_a_backtick_and_a_constant_keep_the_table_whole(load):
    module = load("@mapping\ndef to_item(order: Order) -> Item:\n    return Item(sku='`')\n")
    assert markdown(module.to_item).splitlines()[2] == "| `sku` | `` '`' `` | constant |"


def test_one_record_is_shown_rule_by_rule_with_both_values(load):
    module = load(SOURCE)
    order = module.Order(street="s", email="e", items=(module.Item(sku="1"), module.Item(sku="2")))
    head, note, lines = explain(module.to_document, order, label="l")
    assert (head.target, head.value, head.source_values) == ("head", "e", {"order.email": "e"})
    assert (note.value, note.source_values) == (KEEP, {"label": "l", "order.street": "s"})
    assert [a.accountkey for a in lines.value] == ["1", "2"]
    assert lines.source_values == {"order.items[].sku": ("1", "2")}


def test_a_record_that_a_guard_ends_has_nothing_to_show(load):
    module = load(SOURCE)
    assert explain(module.to_document, module.Order(), "l") == []


def test_a_record_that_fails_is_refused_like_any_call(load):
    module = load(
        "@mapping\ndef to_account(order: Order) -> Account:\n    return Account(accountkey=order.email)\n"
    )
    with pytest.raises(RecordError):
        explain(module.to_account, module.Order(email="x" * 30))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("order.items[].sku", ("1", "2")),
        ("order.street", None),
        ("order.street.anything", None),
        ("codes[]", (5, 6)),
        ("codes", {"a": 5, "b": 6}),
    ],
)
def test_a_path_leads_to_what_stands_there(load, path, expected):
    module = load("")
    order = module.Order(items=(module.Item(sku="1"), module.Item(sku="2")))
    assert value_at(path, {"order": order, "codes": {"a": 5, "b": 6}}) == expected
    assert value_at("order.*", {"order": order}) is order
