"""A solution as the zip that an organisation imports."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.dataverse.rights import (
    ITS_OWN,
    Access,
    Depth,
    Right,
    grouped,
    rights_for,
    rights_on,
    together,
)
from tagline.connectors.dataverse.solution import (
    ColumnType,
    OwnColumn,
    OwnKey,
    Solution,
    option_prefix,
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
    (Right("prvCreateAccount", Depth.USER, "ours"), Right("prvReadAccount", Depth.ORGANISATION, "all")),
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
    assert [(p.get("name"), p.get("level")) for p in role.iter("RolePrivilege")] == [
        ("prvCreateAccount", "Basic"),
        ("prvReadAccount", "Global"),
    ]
    later = _part("customizations.xml", solution=Solution("tagline_crates", "2.0.0.0")).find("Roles/Role")
    assert later is not None
    assert later.get("id") == role.get("id")


def test_a_line_has_no_rights_of_its_own():
    needed = rights_on("salesorderdetail", [Access.READ, Access.CREATE, Access.DELETE])
    assert [right.privilege for right in needed] == [
        "prvAppendOrder",
        "prvAppendToOrder",
        "prvReadOrder",
        "prvWriteOrder",
    ]


def test_only_creating_stops_at_the_applications_own_rows():
    """A key is unique in the whole organisation: who cannot see another's row would try to create it a second time."""
    depths = {right.privilege: right.depth for right in rights_on("account", Access)}
    assert depths.pop("prvCreateAccount") is Depth.USER
    assert set(depths.values()) == {Depth.ORGANISATION}


def test_rows_that_are_given_to_a_team_are_created_and_assigned_in_the_whole_organisation():
    given_away = {r.privilege: r.depth for r in rights_on("salesorder", [Access.CREATE], gives_owner=True)}
    assert given_away == {
        "prvAssignOrder": Depth.ORGANISATION,
        "prvCreateOrder": Depth.ORGANISATION,
    }


def test_rows_without_owners_know_one_depth_alone():
    assert {right.depth for right in rights_on("product", Access)} == {Depth.ORGANISATION}


@given(
    st.lists(
        st.builds(
            Right,
            st.sampled_from(["prvReadAccount", "prvCreateOrder", "prvMerge"]),
            st.sampled_from(Depth),
            st.sampled_from(["a", "b"]),
        )
    )
)
def test_a_role_holds_each_privilege_once_and_as_far_as_any_need_reaches(rights):
    held = together(rights)
    assert [r.privilege for r in held] == sorted({r.privilege for r in rights})
    for right in held:
        assert right.depth.rank == max(r.depth.rank for r in rights if r.privilege == right.privilege)
    assert together(held) == held


def test_rights_are_told_by_kind_of_row_as_a_person_would_enter_them():
    rights = together([*rights_on("account", [Access.CREATE, Access.APPEND_TO]), *rights_for("Merge")])
    account, merge = grouped(rights)
    assert (account.noun, account.everywhere, account.own) == ("Account", ("append to",), ("create",))
    assert account.reason.endswith(ITS_OWN)
    assert (merge.noun, merge.everywhere) == ("Merge", ("use",))


@pytest.mark.parametrize(
    ("release", "told"),
    [("1.2.0", "1.2.0.0"), ("1.2.0rc1", "1.2.0.0"), ("3", "3.0.0.0"), ("1.2.3.4", "1.2.3.0")],
)
def test_a_version_has_four_numbers(release, told):
    assert version_of(release) == told


@given(st.from_regex(r"[a-z][a-z0-9]{1,7}", fullmatch=True))
def test_the_prefix_of_choice_values_has_five_digits(prefix):
    assert 10000 <= option_prefix(prefix) <= 99999
