"""The public face: what an author imports is what it says, whatever was imported before, and costs nothing until used."""

import subprocess
import sys

import pytest

import tagline


def run(code: str) -> str:
    """Run code in an interpreter of its own: what is imported in which order is the subject here."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_exported_name_can_be_imported():
    for name in tagline.__all__:
        assert getattr(tagline, name) is not None


def test_exports_are_sorted_capitals_first():
    assert tagline.__all__ == sorted(tagline.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n))


def test_nothing_is_exported_twice_or_forgotten():
    homes = [name for names in tagline._HOMES.values() for name in names]
    assert sorted(homes) == sorted(tagline.__all__)


@pytest.mark.parametrize("name", ["flow", "mapping"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        "import tagline.{name}",
        "import tagline.flow.drive, tagline.mapping.rule",
        "import tagline; tagline.{name}; import tagline.{name}",
        "from tagline import {name}; import importlib, sys; importlib.reload(sys.modules['tagline.{name}'])",
    ],
    ids=["first", "after the room", "after a module of it", "again", "after a reload"],
)
def test_flow_and_mapping_are_the_decorators_whatever_was_imported_before(name: str, before: str):
    code = f"{before.format(name=name)}\nfrom tagline import {name}\nprint(type({name}).__name__)"
    assert run(code) == "function"


def test_the_rooms_stay_importable_beside_the_decorators():
    code = "from tagline import flow, mapping\nfrom tagline.flow import drive\nfrom tagline.mapping import Rule\nprint(drive.__name__)"
    assert run(code) == "tagline.flow.drive"


def test_importing_the_face_imports_nothing_else():
    """The command line imports it before anything; help must be quick."""
    code = "import sys, tagline\nprint([m for m in sys.modules if m.startswith(('tagline.', 'pydantic'))])"
    assert run(code) == "[]"


def test_an_unknown_name_is_missing_as_anywhere():
    with pytest.raises(AttributeError):
        tagline.upserd  # type: ignore[attr-defined] # noqa: B018
