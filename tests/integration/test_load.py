"""Loading a package: what it declares, as values, or a refusal that names file and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tagline.errors import UsageError
from tagline.integration import libraries_of, load, load_from, routes

FILES = {
    "pyproject.toml": """\
[project]
name = "parcels"
version = "1.2.3"

[tool.tagline]
requires = ">=0.1"
""",
    "parcels/__init__.py": "",
    "parcels/connections.py": """\
from tagline import connection
from tagline.connectors.dataverse import Dataverse
from tagline.connectors.shift4shop import Shift4Shop

shop = connection(Shift4Shop)
crm = connection(Dataverse)
""",
    "parcels/settings.py": """\
from tagline import Settings


class ParcelsSettings(Settings):
    prefix: str = "p"
""",
    "parcels/transforms.py": 'WORD = "one"\n',
    "parcels/mappings/__init__.py": "",
    "parcels/mappings/account.py": """\
from tagline import mapping
from tagline.connectors.dataverse import Account
from tagline.connectors.shift4shop import Order
from parcels.settings import ParcelsSettings


@mapping
def to_account(order: Order, settings: ParcelsSettings) -> Account:
    return Account(tl_customerkey=settings.prefix, name=order.BillingFirstName)
""",
    "parcels/flows.py": """\
from tagline import flow, upsert
from tagline.connectors.shift4shop import Order
from parcels.connections import shop
from parcels.mappings.account import to_account
from parcels.settings import ParcelsSettings


@flow(on=[shop.order_placed, shop.order_changed], key=Order.key)
async def parcels(order: Order, settings: ParcelsSettings) -> None:
    await upsert(to_account(order, settings))


@flow(on=[shop.order_placed], key=Order.key)
async def second(order: Order, settings: ParcelsSettings) -> None:
    await upsert(to_account(order, settings))
""",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "here"


def _change(directory: Path, file: str, old: str, new: str) -> None:
    path = directory / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_package_becomes_values_whatever_its_folder_is_called(directory: Path) -> None:
    found = load(directory)
    assert (found.name, found.version, found.requires_tagline) == ("parcels", "1.2.3", ">=0.1")
    assert {n: s.kind for n, s in found.connections.items()} == {"shop": "shift4shop", "crm": "dataverse"}
    assert found.settings.__name__ == "ParcelsSettings"
    assert list(found.flows) == ["parcels", "second"]
    assert list(found.mappings) == ["to_account"]


def test_an_event_starts_every_flow_that_names_it(directory: Path) -> None:
    assert routes(load(directory)) == {
        ("shop", "order-placed"): ("parcels", "second"),
        ("shop", "order-changed"): ("parcels",),
    }


def test_two_directories_with_one_package_name_do_not_mix(directory: Path, tmp_path: Path) -> None:
    shutil.copytree(directory, tmp_path / "there")
    _change(tmp_path / "there", "parcels/settings.py", '"p"', '"other"')
    first, second = load(directory), load(tmp_path / "there")
    assert (first.settings().prefix, second.settings().prefix) == ("p", "other")  # type: ignore[attr-defined]
    assert all(str(tmp_path / "there") in f.file for f in second.flows.values())
    assert all(str(directory) in f.file for f in load(directory).flows.values())


def test_a_file_changed_within_the_same_second_is_seen(directory: Path) -> None:
    load(directory)
    _change(directory, "parcels/settings.py", '"p"', '"q"')
    assert load(directory).settings().prefix == "q"  # type: ignore[attr-defined]


def test_loading_leaves_no_files_and_no_search_path_behind(directory: Path) -> None:
    import sys

    before = list(sys.path), sorted(directory.rglob("*"))
    load(directory)
    assert (list(sys.path), sorted(directory.rglob("*"))) == before


def test_a_library_beside_it_can_be_imported(directory: Path, tmp_path: Path) -> None:
    package = tmp_path / "libraries" / "shared_words" / "shared_words"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('WORD = "shared"\n')
    _change(directory, "parcels/settings.py", '"p"', "WORD")
    _change(
        directory,
        "parcels/settings.py",
        "from tagline import Settings",
        "from shared_words import WORD\nfrom tagline import Settings",
    )
    assert load(directory, [package.parent]).settings().prefix == "shared"  # type: ignore[attr-defined]


@pytest.fixture
def root(directory: Path, tmp_path: Path) -> Path:
    """A repository whose parcels uses the library words, which uses letters."""
    parcels = tmp_path / "root" / "integrations" / "parcels"
    parcels.parent.mkdir(parents=True)
    shutil.copytree(directory, parcels)
    _change(parcels, "pyproject.toml", 'requires = ">=0.1"', 'requires = ">=0.1"\nlibraries = ["words"]')
    _change(parcels, "parcels/settings.py", '"p"', "WORD")
    _change(parcels, "parcels/settings.py", "from tagline", "from words import WORD\nfrom tagline")
    for name, needs, text in (
        ("words", '["letters"]', 'from letters import A\n\nWORD = A + "b"\n'),
        ("letters", '["words"]', 'A = "a"\n'),
    ):
        package = parcels.parent / name / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(text)
        (package.parent / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1"\n\n[tool.tagline]\nrequires = ">=0.1"\nlibraries = {needs}\n'
        )
    return tmp_path / "root"


def test_from_a_repository_it_is_loaded_with_the_libraries_it_declares_and_theirs(root: Path) -> None:
    assert libraries_of(root, "parcels") == ("letters", "words")
    assert load_from(root, "parcels").settings().prefix == "ab"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("gone", "by"), [("words", "parcels"), ("letters", "words")])
def test_a_missing_library_is_named_with_who_declares_it(root: Path, gone: str, by: str) -> None:
    shutil.rmtree(root / "integrations" / gone)
    with pytest.raises(UsageError, match=f"{by} declares the library {gone}") as error:
        load_from(root, "parcels")
    assert (error.value.code, error.value.where["library"]) == ("integration-unknown", gone)


def test_without_libraries_it_is_loaded_alone(directory: Path, tmp_path: Path) -> None:
    shutil.copytree(directory, tmp_path / "integrations" / "parcels")
    assert libraries_of(tmp_path, "parcels") == ()
    assert load_from(tmp_path, "parcels").directory == tmp_path / "integrations" / "parcels"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("pyproject.toml", 'name = "parcels"', 'name = "Parcels-1"', "[project] name is 'Parcels-1'"),
        ("pyproject.toml", 'name = "parcels"', 'name = "json"', "of Python's own"),
        ("pyproject.toml", 'version = "1.2.3"', "", "[project] version is None"),
        ("pyproject.toml", 'requires = ">=0.1"', "", "requires is missing"),
        ("pyproject.toml", ">=0.1", ">=99", "works with tagline >=99"),
        ("pyproject.toml", ">=0.1", "new", "requires is 'new'"),
        ("pyproject.toml", "requires", "require", "requires is missing"),
        ("pyproject.toml", "[project]", "[project", "it is no TOML"),
        ("parcels/connections.py", "crm = connection(Dataverse)", "crm = connection(Shift4Shop)", "shop and crm are both connections to shift4shop"),
        ("parcels/connections.py", "= connection(", "= (", "it names no connection"),
        ("parcels/settings.py", "(Settings)", "", "must hold one subclass of Settings, and holds none"),
        ("parcels/flows.py", "async def second", "async def parcels2(", "line 14: "),
        ("parcels/flows.py", "on=[shop.order_placed]", "on=[type(shop)().order_placed]", "a connection that connections.py does not name"),
        ("parcels/flows.py", "from parcels.connections import shop", "from parcels.connections import shopp", "line 3: ImportError"),
        ("parcels/mappings/account.py", "from parcels.settings", "import nothing_here\nfrom parcels.settings", "No module named 'nothing_here'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_file_and_a_remedy(
    directory: Path, file: str, old: str, new: str, told: str
) -> None:
    _change(directory, file, old, new)
    with pytest.raises(UsageError) as error:
        load(directory)
    assert error.value.code == "integration-invalid"
    assert told in error.value.message
    assert error.value.where["file"] == str(directory / file)
    assert error.value.hint


@pytest.mark.parametrize(
    "file", ["pyproject.toml", "parcels/connections.py", "parcels/settings.py", "parcels/flows.py"]
)
def test_a_missing_file_is_named(directory: Path, file: str) -> None:
    (directory / file).unlink()
    with pytest.raises(UsageError) as error:
        load(directory)
    assert (error.value.code, error.value.where) == ("integration-invalid", {"file": str(directory / file)})


def test_two_mappings_of_one_name_are_refused(directory: Path) -> None:
    shutil.copy(directory / "parcels/mappings/account.py", directory / "parcels/mappings/other.py")
    with pytest.raises(UsageError, match=r"to_account is also defined in account\.py"):
        load(directory)


def test_a_mapping_of_another_shape_keeps_its_own_refusal(directory: Path) -> None:
    _change(directory, "parcels/mappings/account.py", "    return", "    while True: pass\n    return")
    with pytest.raises(UsageError) as error:
        load(directory)
    assert error.value.code == "mapping-shape"
