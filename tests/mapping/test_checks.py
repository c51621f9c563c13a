"""The rules of a mapping are held to the target's columns when the mapping is imported."""

import pytest

from tagline.errors import UsageError


def refused(load, source: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(source)
    assert caught.value.code == "mapping-fields"
    return caught.value.message


def sale(rules: str, decorator: str = "@mapping") -> str:
    return f"{decorator}\ndef to_sale(order: Order) -> Sale:\n    return Sale({rules})\n"


WHOLE = 'salekey="k", name="n", customer=ref(Account, accountkey="a")'


def test_unknown_and_missing_fields_are_reported_together_with_suggestions(load):
    message = refused(load, sale('salekey="k", nmae="n", colour="red"'))
    assert "Sale has no field nmae; did you mean name?" in message
    assert "Sale has no field colour" in message
    assert "name is required and has no rule" in message
    assert "customer is required and has no rule" in message


def test_a_wrong_rule_is_reported_with_its_own_line(load, tmp_path):
    message = refused(
        load, "@mapping\ndef to_sale(order: Order) -> Sale:\n    return Sale(\n        nmae='n',\n    )\n"
    )
    line = int(message.split("line ")[1].split(":")[0])
    assert (tmp_path / "written_0.py").read_text().splitlines()[line - 1].strip() == "nmae='n',"


def test_a_column_that_cannot_be_created_needs_no_rule(load):
    assert load(sale(WHOLE)).to_sale.target.__name__ == "Sale"


def test_a_read_only_column_is_refused(load):
    assert "total is read-only" in refused(load, sale(f"{WHOLE}, total=1"))
    assert "total is read-only" in refused(load, sale("salekey='k', total=1", "@mapping(update=True)"))


def test_an_update_needs_no_required_columns_and_names_its_row_by_key(load):
    module = load(sale("salekey='k', state=2", "@mapping(update=True)"))
    assert module.to_sale(module.Order()).given() == {"salekey": "k", "state": 2}


def test_an_update_refuses_a_column_that_can_only_be_created(load):
    message = refused(load, sale("salekey='k', currency='EUR'", "@mapping(update=True)"))
    assert "currency cannot be changed on a row that exists" in message


def test_a_reference_by_no_declared_key_is_refused_in_rules_and_assignments(load):
    assert "Account has no key (nmae)" in refused(
        load, sale("salekey='k', name='n', customer=ref(Account, nmae='a')")
    )
    assert "its keys: accountkey, accountid" in refused(
        load,
        "@mapping(update=True)\ndef to_sale(order: Order) -> Sale:\n    who = ref(Account, number=1)\n"
        "    return Sale(salekey='k', customer=who)\n",
    )


def test_a_reference_to_another_table_is_refused(load):
    message = refused(
        load,
        sale("salekey='k', name='n', customer=ref(Sale, salekey='s'), note=ref(Account, accountkey='a')"),
    )
    assert "customer takes Account, not Sale" in message
    assert "note takes no reference, not Account" in message


def test_a_subclass_of_the_referred_model_is_taken(load):
    load(sale("salekey='k', name='n', customer=ref(Contact, accountkey='s')"))


def test_an_unknown_source_field_is_refused_with_a_suggestion(load):
    message = refused(
        load,
        sale("salekey=f'{order.numbr}', name=order.items[0].skuu, customer=ref(Account, accountkey='a')"),
    )
    assert "order (Order) has no field numbr; did you mean number?" in message
    assert "order.items[] (Item) has no field skuu; did you mean sku?" in message


def test_a_field_without_a_default_is_missing_even_in_an_update(load):
    source = "class Line(Model):\n    sku: str\n    price: int = 0\n"
    source += "@mapping(update=True)\ndef to_line(item: Item) -> Line:\n    return Line(price=1)\n"
    assert "sku is required" in refused(load, source)


def test_a_constant_that_its_column_does_not_take_is_refused(load):
    message = refused(load, sale("salekey='k', name='far too long', state=7", "@mapping(update=True)"))
    assert "name does not take 'far too long': a text of 12 characters, the limit is 10" in message
    assert "state takes 1, 2, not 7" in message
    told = refused(load, sale("salekey='k', state='x'", "@mapping(update=True)"))
    assert "state does not take 'x'" in told
    assert "state takes" not in told


def test_a_constant_that_fits_and_none_are_taken(load):
    load(sale("salekey='k', name=None, note='', state=None", "@mapping(update=True)"))
