"""A solution as the zip that an organisation imports."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.dataverse.solution import (
    Access,
    ColumnType,
    OwnColumn,
    OwnKey,
    Solution,
    option_prefix,
    privileges_for,
    to_zip,
    version_of,
)

SOLUTION = Solution(
    "tagline_crates",
    "1.2.0.0",
    (
        OwnColumn("account", "tl_key", ColumnType.TEXT, max_length=40, doc="Ours & <theirs>"),
        OwnColumn("account", "tl_seen", ColumnType.INSTANT),
        OwnColumn("salesorder", "tl_weight", ColumnType.DECIMAL, precision=4),
    ),
    (OwnKey("account", "tl_account_key", ("tl_key",)), OwnKey("uom", "tl_uom_name", ("name",))),
    ("prvReadAccount", "prvWriteAccount"),
)


def _part(name: str, *, managed: bool = False, solution: Solution = SOLUTION) -> ET.Element:
    archive = zipfile.ZipFile(io.BytesIO(to_zip(solution, managed=managed)))
    return ET.fromstring(archive.read(name))


def test_the_same_solution_is_the_same_file():
    assert to_zip(SOLUTION, managed=True) == to_zip(SOLUTION, managed=True)


@pytest.mark.parametrize(("managed", "told"), [(True, "1"), (False, "0")])
def test_the_manifest_names_version_publisher_and_whether_it_is_managed(managed, told):
    manifest = _part("solution.xml", managed=managed).find("SolutionManifest")
    assert manifest is not None
    assert manifest.findtext("UniqueName") == "tagline_crates"
    assert manifest.findtext("Version") == "1.2.0.0"
    assert manifest.findtext("Managed") == told
    assert manifest.findtext("Publisher/CustomizationPrefix") == "tl"


def test_every_table_with_a_column_or_a_key_of_ours_is_a_component():
    components = _part("solution.xml").iter("RootComponent")
    assert [c.get("schemaName") for c in components if c.get("type") == "1"] == [
        "account",
        "salesorder",
        "uom",
    ]


def test_columns_carry_their_limits():
    columns = {c.get("PhysicalName"): c for c in _part("customizations.xml").iter("attribute")}
    assert columns["tl_key"].findtext("MaxLength") == "40"
    assert columns["tl_seen"].findtext("Type") == "datetime"
    assert columns["tl_weight"].findtext("Accuracy") == "4"


def test_text_of_a_description_needs_no_care():
    found = _part("customizations.xml").find(".//Descriptions/Description")
    assert found is not None
    assert found.get("description") == "Ours & <theirs>"


def test_keys_stand_with_their_table():
    found = {
        e.findtext("Name"): [k.findtext("Name") for k in e.iter("EntityKey")]
        for e in _part("customizations.xml").iter("Entity")
    }
    assert found == {"account": ["tl_account_key"], "salesorder": [], "uom": ["tl_uom_name"]}


def test_the_role_holds_the_privileges_and_its_id_never_changes():
    role = _part("customizations.xml").find("Roles/Role")
    assert role is not None
    assert [p.get("name") for p in role.iter("RolePrivilege")] == ["prvReadAccount", "prvWriteAccount"]
    later = _part("customizations.xml", solution=Solution("tagline_crates", "2.0.0.0")).find("Roles/Role")
    assert later is not None
    assert later.get("id") == role.get("id")


def test_a_line_has_no_rights_of_its_own():
    assert privileges_for("salesorderdetail", [Access.READ, Access.CREATE, Access.DELETE]) == (
        "prvAppendOrder",
        "prvAppendToOrder",
        "prvReadOrder",
        "prvWriteOrder",
    )


@pytest.mark.parametrize(
    ("release", "told"),
    [("1.2.0", "1.2.0.0"), ("1.2.0rc1", "1.2.0.0"), ("3", "3.0.0.0"), ("1.2.3.4", "1.2.3.0")],
)
def test_a_version_has_four_numbers(release, told):
    assert version_of(release) == told


@given(st.from_regex(r"[a-z][a-z0-9]{1,7}", fullmatch=True))
def test_the_prefix_of_choice_values_has_five_digits(prefix):
    assert 10000 <= option_prefix(prefix) <= 99999
