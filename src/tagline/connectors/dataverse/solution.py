"""A Dataverse solution as values, and as the zip that an organisation imports."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

from tagline.connectors.dataverse.rights import Right

PREFIX: Final = "tl"
"""Of our publisher: every column and key of ours begins with it."""
PUBLISHER: Final = "tagline"


class ColumnType(StrEnum):
    """Types of columns that a solution of ours may add."""

    TEXT = "nvarchar"
    INSTANT = "datetime"
    WHOLE = "int"
    DECIMAL = "decimal"
    YES_NO = "bit"


@dataclass(frozen=True)
class OwnColumn:
    """A column of ours on a table of the organisation."""

    table: str
    name: str
    type: ColumnType
    max_length: int | None = None
    precision: int | None = None
    doc: str = ""


@dataclass(frozen=True)
class OwnKey:
    """An alternate key of ours; its columns need not be ours."""

    table: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Solution:
    """Everything that an integration needs of an organisation before it can run there."""

    name: str
    """Unique name, for example `tagline_order_to_cash`."""
    version: str
    """Four numbers, for example `1.2.0.0`."""
    columns: tuple[OwnColumn, ...] = ()
    keys: tuple[OwnKey, ...] = ()
    rights: tuple[Right, ...] = ()
    """What the role of the running application holds, each privilege once."""

    @property
    def role(self) -> str:
        """Name of the security role."""
        return f"{self.name} runtime"


def version_of(release: str) -> str:
    """A release's version as four numbers: `1.2.0` and `1.2.0rc1` are both `1.2.0.0`."""
    numbers = [int(n) for n in re.findall(r"\d+", release.split("rc", maxsplit=1)[0])[:3]]
    return ".".join(map(str, [*numbers, 0, 0, 0, 0][:4]))


def option_prefix(prefix: str) -> int:
    """
    The publisher's prefix of choice values, told from its name prefix as the platform does.

    Source: reference/dataverse-api.md section 19.
    """
    told = 0
    for character in prefix:
        told = (told * 31 + ord(character)) & 0xFFFFFFFF
    signed = told - (1 << 32) if told >= 1 << 31 else told
    return abs(signed) % 90000 + 10000


def to_zip(solution: Solution, *, managed: bool) -> bytes:
    """
    The solution as an organisation imports it; the same bytes for the same solution.

    Args:
        managed: Closed against changes by hand, as qa and prod should have it; removing it removes its columns.
    """
    parts = {
        "[Content_Types].xml": _content_types(),
        "customizations.xml": _customizations(solution),
        "solution.xml": _manifest(solution, managed=managed),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            info = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return buffer.getvalue()


def role_id(solution: Solution) -> str:
    """The role's id: the same in every organisation, so that an import finds the role it made."""
    return str(uuid5(NAMESPACE_URL, f"tagline:role:{solution.name}"))


def _content_types() -> bytes:
    root = ET.Element("Types", xmlns="http://schemas.openxmlformats.org/package/2006/content-types")
    ET.SubElement(root, "Default", Extension="xml", ContentType="application/octet-stream")
    return _text(root)


def _manifest(solution: Solution, *, managed: bool) -> bytes:
    root = ET.Element("ImportExportXml", version="9.2.0.0", SolutionPackageVersion="9.2", languagecode="1033")
    manifest = ET.SubElement(root, "SolutionManifest")
    _leaf(manifest, "UniqueName", solution.name)
    _names(manifest, "LocalizedNames", "LocalizedName", solution.name.replace("_", " "))
    ET.SubElement(manifest, "Descriptions")
    _leaf(manifest, "Version", solution.version)
    _leaf(manifest, "Managed", str(int(managed)))
    publisher = ET.SubElement(manifest, "Publisher")
    _leaf(publisher, "UniqueName", PUBLISHER)
    _names(publisher, "LocalizedNames", "LocalizedName", PUBLISHER)
    ET.SubElement(publisher, "Descriptions")
    _leaf(publisher, "CustomizationPrefix", PREFIX)
    _leaf(publisher, "CustomizationOptionValuePrefix", str(option_prefix(PREFIX)))
    components = ET.SubElement(manifest, "RootComponents")
    for table in _tables(solution):
        # Type 1 is a table; behaviour 2 takes in nothing of it but what stands in customizations.xml.
        ET.SubElement(components, "RootComponent", type="1", schemaName=table, behavior="2")
    ET.SubElement(components, "RootComponent", type="20", id=f"{{{role_id(solution)}}}", behavior="0")
    ET.SubElement(manifest, "MissingDependencies")
    return _text(root)


def _customizations(solution: Solution) -> bytes:
    root = ET.Element("ImportExportXml")
    entities = ET.SubElement(root, "Entities")
    for table in _tables(solution):
        entity = ET.SubElement(entities, "Entity")
        _leaf(entity, "Name", table, OriginalName=table, LocalizedName=table)
        info = ET.SubElement(ET.SubElement(entity, "EntityInfo"), "entity", Name=table, unmodified="1")
        attributes = ET.SubElement(info, "attributes")
        for column in (c for c in solution.columns if c.table == table):
            _attribute(attributes, column)
        keys = [key for key in solution.keys if key.table == table]
        if keys:
            _keys(ET.SubElement(info, "EntityKeys"), keys)
    roles = ET.SubElement(root, "Roles")
    role = ET.SubElement(roles, "Role", id=f"{{{role_id(solution)}}}", name=solution.role, isinherited="1")
    held = ET.SubElement(role, "RolePrivileges")
    for right in solution.rights:
        ET.SubElement(held, "RolePrivilege", name=right.privilege, level=right.depth.value)
    ET.SubElement(ET.SubElement(root, "Languages"), "Language").text = "1033"
    return _text(root)


def _attribute(parent: ET.Element, column: OwnColumn) -> None:
    made = ET.SubElement(parent, "attribute", PhysicalName=column.name)
    _leaf(made, "Type", column.type.value)
    _leaf(made, "Name", column.name)
    _leaf(made, "LogicalName", column.name)
    _leaf(made, "RequiredLevel", "none")
    _leaf(made, "DisplayMask", "ValidForAdvancedFind|ValidForForm|ValidForGrid")
    _leaf(made, "ValidForUpdateApi", "1")
    _leaf(made, "ValidForReadApi", "1")
    _leaf(made, "ValidForCreateApi", "1")
    _leaf(made, "IsCustomField", "1")
    _leaf(made, "IntroducedVersion", "1.0.0.0")
    if column.type is ColumnType.TEXT:
        _leaf(made, "Format", "text")
        _leaf(made, "MaxLength", str(column.max_length or 100))
        _leaf(made, "Length", str((column.max_length or 100) * 2))
    elif column.type is ColumnType.INSTANT:
        _leaf(made, "Format", "datetime")
        _leaf(made, "Behavior", "1")  # an instant, shown in each user's zone
    elif column.type is ColumnType.DECIMAL:
        _leaf(made, "MinValue", "-100000000000")
        _leaf(made, "MaxValue", "100000000000")
        _leaf(made, "Accuracy", str(column.precision if column.precision is not None else 2))
    elif column.type is ColumnType.WHOLE:
        _leaf(made, "MinValue", "-2147483648")
        _leaf(made, "MaxValue", "2147483647")
    _names(made, "displaynames", "displayname", column.name.removeprefix(f"{PREFIX}_"))
    if column.doc:
        _names(made, "Descriptions", "Description", column.doc)


def _keys(parent: ET.Element, keys: Sequence[OwnKey]) -> None:
    for key in keys:
        made = ET.SubElement(parent, "EntityKey")
        _leaf(made, "Name", key.name)
        _leaf(made, "LogicalName", key.name)
        _leaf(made, "IntroducedVersion", "1.0.0.0")
        _leaf(made, "IsCustomizable", "1")
        columns = ET.SubElement(made, "EntityKeyAttributes")
        for name in key.columns:
            _leaf(columns, "AttributeName", name)
        _names(made, "displaynames", "displayname", key.name)


def _tables(solution: Solution) -> list[str]:
    return sorted({c.table for c in solution.columns} | {k.table for k in solution.keys})


def _leaf(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text


def _names(parent: ET.Element, outer: str, inner: str, text: str) -> None:
    ET.SubElement(ET.SubElement(parent, outer), inner, description=text, languagecode="1033")


def _text(root: ET.Element) -> bytes:
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text
