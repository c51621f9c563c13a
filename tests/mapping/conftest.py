import importlib.util
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

MODELS = """
from __future__ import annotations
import datetime as dt
import random
from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from tagline.domain.model import KEEP, Model, Ref, Remote, column, ref
from tagline.mapping import mapping
from tagline.mapping.transforms import *

class Item(Model):
    sku: str = ""
    price: Decimal = Decimal(0)

class Order(Model):
    number: int = 0
    email: str = ""
    street: str | None = None
    items: tuple[Item, ...] = ()

class Account(Model):
    remote: ClassVar[Remote] = Remote("crm", "account", "accounts", "accountid", (("accountkey",),))
    accountid: str | None = column()
    accountkey: str | None = column(max_length=20)

class Contact(Account):
    pass

class Sale(Model):
    remote: ClassVar[Remote] = Remote("crm", "sale", "sales", "saleid", (("salekey",),))
    saleid: str | None = column()
    salekey: str | None = column(max_length=20, required=True, update=False)
    name: str | None = column(max_length=10, required=True)
    customer: Ref[Account] | None = column(required=True)
    note: str | None = column()
    currency: str | None = column(update=False)
    state: int | None = column(required=True, create=False, options=(1, 2))
    total: Decimal | None = column(create=False, update=False)

"""


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Import source text as an integration's module: models first, then the text; `FIRST` is the line it begins on."""
    counter, loaded = itertools.count(), []

    def load(source: str) -> ModuleType:
        name = f"written_{next(counter)}"
        path = tmp_path / f"{name}.py"
        path.write_text(MODELS + textwrap.dedent(source).lstrip("\n"))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        module.FIRST = MODELS.count("\n") + 1
        sys.modules[name] = module
        loaded.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in loaded:
        del sys.modules[name]
