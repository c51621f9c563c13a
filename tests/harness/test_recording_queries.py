"""An integration that starts from products and asks for rows by conditions: recorded, replayed, and compared with another release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tagline.alm import corpus
from tagline.alm.replay import Side, compare
from tagline.clock import VirtualClock
from tagline.connectors.shift4shop import Product
from tagline.domain.environment import EnvironmentConfig
from tagline.flow.usage import usage_of
from tagline.harness.cassettes import load as load_cassette
from tagline.harness.places import Place
from tagline.harness.recording import Recording, record
from tagline.harness.replaying import replay
from tagline.harness.world import START
from tagline.integration import Integration, load
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.sandbox import Sandbox

FILES = {
    "pyproject.toml": '[project]\nname = "restock"\nversion = "1.0.0"\n\n[tool.tagline]\nrequires = ">=0.1"\n',
    "restock/__init__.py": "",
    "restock/connections.py": """\
from tagline import connection
from tagline.connectors.dataverse import Dataverse
from tagline.connectors.shift4shop import Shift4Shop

shop = connection(Shift4Shop)
crm = connection(Dataverse)
""",
    "restock/settings.py": """\
from tagline import Settings


class RestockSettings(Settings):
    pass
""",
    "restock/mappings/__init__.py": "",
    "restock/mappings/product.py": """\
from tagline import mapping
from tagline.connectors import dataverse
from tagline.connectors.shift4shop import Product


@mapping(update=True)
def to_product(product: Product) -> dataverse.Product:
    return dataverse.Product(productnumber=product.SKU, description=product.Name)
""",
    "restock/flows.py": """\
from restock.connections import shop
from restock.mappings.product import to_product
from restock.settings import RestockSettings
from tagline import Comparison, Condition, Expand, Sort, every, find_where, flow, reject, update
from tagline.connectors import dataverse
from tagline.connectors.dataverse import Contact, UnitOfMeasure
from tagline.connectors.shift4shop import Product


@flow(on=[shop.product_changed], sweep=every(minutes=60), key=Product.key)
async def restock(product: Product, settings: RestockSettings) -> None:
    twins = await find_where(
        dataverse.Product,
        "name",
        where=[
            Condition("productnumber", Comparison.EQ, product.SKU),
            Condition("statecode", Comparison.EQ, 0),
        ],
        order_by=[Sort("price", descending=True)],
        expand=[Expand("defaultuomid", UnitOfMeasure, ("name",))],
    )
    await find_where(Contact, "lastname", where=[Condition("lastname", Comparison.IS_BLANK, False)], limit=2)
    if not twins:
        reject("no-active-twin", "no active product has this number")
    await update(to_product(product))
""",
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("package"), FILES)


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(scope="module")
def integration(directory: Path) -> Integration:
    return load(directory)


@pytest.fixture(scope="module")
def recorded(integration: Integration, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    sandbox = Sandbox(VirtualClock(START))
    sandbox.organisations["dev"].records.create(tables()["contact"], {"lastname": "Person-to-hide"})
    given = sandbox.connection_configs("dev")
    config = EnvironmentConfig.model_validate(
        {
            "environment": "dev",
            "agent": {"public_url": "https://hooks.example.com", "state": "x", "state_key": "env:K"},
            "connections": {name: given[name] for name in ("shop", "crm")},
        }
    )
    place = Place(config, sandbox.clock, sandbox.transport, sandbox.secret)
    return record(tmp_path_factory.mktemp("repo"), integration, place, scenario="few", keys=(), last=4)


def test_a_query_is_replayed_from_its_cassette(integration: Integration, recorded: Recording) -> None:
    replayed = replay(integration, load_cassette(recorded.cassette))
    assert (replayed.problems, replayed.outcomes) == ((), recorded.outcomes)
    assert "done" in recorded.outcomes.values()


def test_records_that_start_from_products_are_kept_with_nothing_but_declared_fields(
    recorded: Recording,
) -> None:
    """The shop nests a product's key in an object of its own."""
    kept = json.loads(recorded.corpus.read_text())["records"]
    assert [each["key"] for each in kept] == list(recorded.outcomes)
    assert {each["model"] for each in kept} == {"Product"}
    for each in kept:
        inner = each["raw"]["SKUInfo"]
        assert inner["CatalogID"] == int(each["key"])
        assert {*each["raw"], *inner} - {"SKUInfo"} <= set(Product.model_fields)
        read = corpus.source_record(corpus.Recorded(**each), Product)
        assert read.given()["CatalogID"] == int(each["key"])


def test_people_whom_a_flow_only_looks_up_are_pseudonyms(recorded: Recording) -> None:
    assert "Person-to-hide" not in recorded.cassette.read_text() + recorded.corpus.read_text()


def test_a_release_is_compared_on_what_the_queries_of_another_found(
    directory: Path, recorded: Recording, tmp_path: Path
) -> None:
    flows = FILES["restock/flows.py"].replace('"name",\n        where', '"name", "price",\n        where')
    longer = FILES["restock/mappings/product.py"].replace("=product.Name", "=f'{product.Name}!'")
    new = written(tmp_path, {**FILES, "restock/flows.py": flows, "restock/mappings/product.py": longer})
    changed = compare(Side(directory, (), {}), Side(new, (), {}), recorded.corpus.parent)
    done = sum(word == "done" for word in recorded.outcomes.values())
    assert (changed.records_compared, changed.records_changed, changed.inconclusive) == (4, done, 0)
    assert {(each.model, each.field) for each in changed.field_changes} == {("product", "description")}


def test_what_a_query_compares_orders_by_and_expands_is_known_of_the_flow(integration: Integration) -> None:
    tables = {model.remote.entity: use for model, use in usage_of(integration.flows.values()).tables.items()}
    assert {"name", "productnumber", "statecode", "price", "defaultuomid"} <= tables["product"].reads.keys()
    assert (set(tables["uom"].reads), set(tables["contact"].reads)) == ({"name"}, {"lastname"})
    assert not tables["uom"].creates


def test_queries_come_back_from_a_corpus_as_they_went_in(recorded: Recording) -> None:
    read = corpus.read(recorded.corpus.parent)
    assert read.queries
    records: list[Any] = list(read.records)
    assert corpus.to_json(records, read.rows, read.queries) == recorded.corpus.read_text()
