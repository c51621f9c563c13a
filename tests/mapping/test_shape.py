"""A mapping has one shape; every other one is refused where it stands, with how to write it."""

import pytest

from tagline.errors import UsageError

RETURN = 'return Sale(salekey="k", name="n", customer=ref(Account, accountkey="a"))'

DECORATED = f"""
import functools

def other(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args)
    return inner

@mapping
@other
def to_sale(order: Order) -> Sale:
    {RETURN}
"""


def refused(load, source: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(source)
    assert caught.value.code == "mapping-shape"
    return caught.value


@pytest.mark.parametrize(
    ("line", "found", "hint"),
    [
        ("for i in order.items: pass", "`for i in order.items:`", "comprehension"),
        ("while True: pass", "`while True:`", "comprehension"),
        ("if order.email: return None", "`if order.email:`", "if x is None: return None"),
        ("if order.street is None: raise ValueError", "`if order.street is None:`", "if x is None"),
        ("if first(order) is None: return None", "`if first(order) is None:`", "if x is None"),
        ("a, b = 1, 2", "something else than one name", "name = expression"),
        ("a = b = 1", "something else than one name", "name = expression"),
        ("a: int", "something else than one name", "name = expression"),
        ("order.email = ''", "something else than one name", "name = expression"),
        ("order = order", "order is assigned again", "a name of its own"),
        ("n = 1; n = 2", "n is assigned again", "a name of its own"),
        ("n = 1; n += 1", "`n += 1`", "new name"),
        ("import os", "`import os`", "top of the file"),
        ("def inner(): pass", "`def inner():`", "outside the mapping"),
        ("order.items", "`order.items`", "only computes"),
        ("try: pass\n    except KeyError: pass", "`try:`", "named function"),
        ("with order: pass", "`with order:`", "named function"),
        ("n = (m := 1)", "`(m := 1)`", "line of its own"),
        ("n = [(yield 1)]", "`(yield 1)`", "returns one target"),
        ("print(order)", "`print(order)`", "only computes"),
        ("n = print(order)", "reaches for print()", "as a parameter"),
        ("n = datetime.now()", "reaches for the clock", "as a parameter"),
        ("n = dt.date.today()", "reaches for the clock", "as a parameter"),
        ("n = random.random()", "reaches for module random", "as a parameter"),
        ("n = [open(i.sku) for i in order.items]", "reaches for", "as a parameter"),
    ],
)
def test_a_statement_of_another_shape_is_refused_with_its_line_and_remedy(load, line, found, hint):
    error = refused(load, f"@mapping\ndef to_sale(order: Order) -> Sale:\n    {line}\n    {RETURN}\n")
    assert found in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("return None", "does not return a call of its target"),
        ("return order", "does not return a call of its target"),
        ("return Account(accountkey='a')", "`Account(...)`, not its target"),
        ("return build(name='a')", "`build(...)`, not its target"),
        ("return Sale('k')", "positional arguments"),
        ("return Sale(**{'name': 'n'})", "hides which fields"),
        ("name = 'n'", "does not end with a return"),
        ('"""Nothing but words."""', "does not end with a return"),
        ("return Sale(name=(n := 'x'))", "`(n := 'x')`"),
    ],
)
def test_another_return_is_refused(load, statement, found):
    error = refused(load, f"@mapping\ndef to_sale(order: Order) -> Sale:\n    {statement}\n")
    assert found in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("def to_sale(order) -> Sale:", "parameter order has no annotation"),
        ("def to_sale(order: Order):", "return annotation is no model"),
        ("def to_sale(order: Order) -> str:", "return annotation is no model"),
        ("def to_sale(order: Order) -> Sale | Account:", "return annotation is no model"),
        ("def to_sale(order: Ordr) -> Sale:", "cannot be resolved (NameError"),
        ("def to_sale(*orders: Order) -> Sale:", "* or ** parameters"),
        ("async def to_sale(order: Order) -> Sale:", "async"),
    ],
)
def test_another_signature_is_refused(load, head, found):
    assert found in refused(load, f"@mapping\n{head}\n    {RETURN}\n").message


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("made = mapping(lambda: 1)", "source cannot be read"),
        ("made = mapping(Order)", "@mapping stands on a"),
        ("made = mapping(eval('lambda: 1'))", "source cannot be read"),
        (DECORATED, "another decorator"),
    ],
)
def test_what_is_no_plain_function_is_refused(load, source, found):
    assert found in refused(load, source).message


def test_a_refusal_names_file_and_line(load, tmp_path):
    error = refused(
        load, f"@mapping\ndef to_sale(order: Order) -> Sale:\n    n = 1\n    del n\n    {RETURN}\n"
    )
    file, line, _ = error.message.split(":", 2)
    assert (tmp_path / "written_0.py") == tmp_path / file
    assert (tmp_path / file).read_text().splitlines()[int(line) - 1] == "    del n"
    assert error.where == {"mapping": "to_sale", "file": file, "line": line}


def test_a_docstring_assignments_guards_and_one_return_are_a_mapping(load):
    module = load(
        """
        @mapping
        def to_sale(order: Order | None) -> Sale | None:
            '''A sale.'''
            if order is None:
                return None
            name: str = order.email
            if order.street is None:
                return
            return Sale(salekey=f"{order.number}", name=name, customer=ref(Account, accountkey="a"), note=KEEP)
        """
    )
    assert module.to_sale(None) is None
    assert module.to_sale(module.Order()) is None
    made = module.to_sale(module.Order(number=7, street="x"))
    assert list(made.given()) == ["salekey", "name", "customer"]


def test_a_mapping_keeps_the_name_and_words_of_its_function(load):
    to_sale = load(f"@mapping\ndef to_sale(order: Order) -> Sale:\n    '''A sale.'''\n    {RETURN}\n").to_sale
    assert (to_sale.name, to_sale.__name__, to_sale.__doc__) == ("to_sale", "to_sale", "A sale.")
    assert list(to_sale.parameters) == ["order"]


def test_wrong_arguments_are_the_callers_mistake_and_no_dead_letter(load):
    to_sale = load(f"@mapping\ndef to_sale(order: Order) -> Sale:\n    {RETURN}\n").to_sale
    with pytest.raises(TypeError):
        to_sale()
