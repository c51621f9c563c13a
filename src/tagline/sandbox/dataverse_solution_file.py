"""A solution as the zip that an organisation takes in and gives out. Source: Web API notes, section 19."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

from tagline.sandbox.dataverse_rights import Depth
from tagline.sandbox.dataverse_schema import Column, tables

MAX_BYTES: Final = 30 * 1024 * 1024
"""Of an unpacked part; a solution is no larger."""
MANIFEST, CUSTOMISATIONS = "solution.xml", "customizations.xml"


class SolutionFileError(Exception):
    """The file cannot be taken in; the text says why."""


@dataclass(frozen=True)
class Role:
    """A security role, with its privileges and how far each reaches."""

    id: str
    name: str
    privileges: Mapping[str, Depth]


@dataclass(frozen=True)
class SolutionFile:
    """What a solution brings."""

    name: str
    version: str
    is_managed: bool
    publisher: str
    prefix: str
    option_prefix: int
    columns: Mapping[str, Sequence[Column]]
    """By table."""
    keys: Mapping[str, Mapping[str, tuple[str, ...]]]
    """By table, the columns of each key."""
    roles: Sequence[Role]

    @property
    def missing_tables(self) -> list[str]:
        """Tables that it adds to and that are not there, sorted."""
        return sorted({*self.columns, *self.keys} - set(tables()))


def read_solution(archive: bytes) -> SolutionFile:
    """
    Read a solution.

    Raises:
        SolutionFileError: It is no solution, or holds what cannot be taken in here.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            manifest, customisations = (_part(opened, name) for name in (MANIFEST, CUSTOMISATIONS))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise SolutionFileError("The solution file is no readable zip.") from error
    about = manifest.find("SolutionManifest")
    if about is None:
        raise SolutionFileError(f"{MANIFEST} has no SolutionManifest.")
    publisher = about.find("Publisher")
    if publisher is None:
        raise SolutionFileError(f"{MANIFEST} names no Publisher.")
    columns: dict[str, list[Column]] = {}
    keys: dict[str, dict[str, tuple[str, ...]]] = {}
    for entity in customisations.iterfind("Entities/Entity/EntityInfo/entity"):
        table = (entity.get("Name") or "").lower()
        columns[table] = [_column(a) for a in entity.iterfind("attributes/attribute")]
        keys[table] = dict(_keys(entity))
    return SolutionFile(
        name=_text(about, "UniqueName"),
        version=_text(about, "Version"),
        is_managed=_text(about, "Managed") == "1",
        publisher=_text(publisher, "UniqueName"),
        prefix=_text(publisher, "CustomizationPrefix"),
        option_prefix=int(_text(publisher, "CustomizationOptionValuePrefix")),
        columns=columns,
        keys=keys,
        roles=list(_roles(customisations)),
    )


def write_solution(solution: SolutionFile) -> bytes:
    """The zip of a solution, as far as `read_solution` reads one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, root in ((MANIFEST, _manifest(solution)), (CUSTOMISATIONS, _customisations(solution))):
            archive.writestr(name, ET.tostring(root, encoding="utf-8", xml_declaration=True))
    return buffer.getvalue()


def _part(archive: zipfile.ZipFile, name: str) -> ET.Element:
    found = next((info for info in archive.infolist() if info.filename.lower() == name), None)
    if found is None:
        raise SolutionFileError(f"The solution file has no {name}.")
    if found.file_size > MAX_BYTES:
        raise SolutionFileError(f"{name} is larger than {MAX_BYTES} bytes.")
    try:
        return ET.fromstring(archive.read(found))  # noqa: S314 - from whoever set up this throw-away sandbox
    except ET.ParseError as error:
        raise SolutionFileError(f"{name} is no XML: {error}.") from error


def _text(element: ET.Element, tag: str) -> str:
    found = element.findtext(tag)
    if found is None or not found.strip():
        raise SolutionFileError(f"<{element.tag}> has no <{tag}>.")
    return found.strip()


def _whole(element: ET.Element, tag: str, otherwise: int) -> int:
    found = element.findtext(tag)
    try:
        return otherwise if found is None else int(found)
    except ValueError:
        raise SolutionFileError(f"<{tag}> of <{element.tag}> is no whole number.") from None


def _number(element: ET.Element, tag: str) -> float | None:
    found = element.findtext(tag)
    try:
        return None if found is None else float(found)
    except ValueError:
        raise SolutionFileError(f"<{tag}> of <{element.tag}> is no number.") from None


def _column(attribute: ET.Element) -> Column:
    name = (attribute.findtext("LogicalName") or attribute.get("PhysicalName") or "").lower()
    kind = _text(attribute, "Type")
    make = _READERS.get(kind)
    if not name or make is None:
        raise SolutionFileError(f"The column '{name}' has the type '{kind}', which cannot be added.")
    return make(name, attribute)


def _date(name: str, attribute: ET.Element) -> Column:
    is_date = attribute.findtext("Behavior") == "2"
    return Column(name, "DateOnly" if is_date else "DateTime")


def _limited(kind: str, accuracy: int) -> Callable[[str, ET.Element], Column]:
    return lambda name, attribute: Column(
        name,
        kind,
        precision=_whole(attribute, "Accuracy", accuracy),
        min=_number(attribute, "MinValue"),
        max=_number(attribute, "MaxValue"),
    )


_READERS: Mapping[str, Callable[[str, ET.Element], Column]] = {
    "nvarchar": lambda name, a: Column(name, "String", max_length=_whole(a, "MaxLength", 100)),
    "ntext": lambda name, a: Column(name, "Memo", max_length=_whole(a, "MaxLength", 2000)),
    "datetime": _date,
    "int": _limited("Integer", 0),
    "decimal": _limited("Decimal", 2),
    "float": _limited("Double", 2),
    "bit": lambda name, _a: Column(name, "Boolean"),
}
_TYPES: Mapping[str, str] = {
    "String": "nvarchar",
    "Memo": "ntext",
    "DateTime": "datetime",
    "DateOnly": "datetime",
    "Integer": "int",
    "Decimal": "decimal",
    "Double": "float",
    "Boolean": "bit",
}


def _keys(entity: ET.Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key in entity.iterfind("EntityKeys/EntityKey"):
        names = (key.findtext("Name"), key.findtext("LogicalName"), key.get("SchemaName"))
        name = next((n for n in names if n), "")
        columns = tuple((n.text or "").strip().lower() for n in key.iter("AttributeName"))
        if not name or not columns:
            raise SolutionFileError(f"A key of '{entity.get('Name')}' has no name or no columns.")
        yield name, columns


def _roles(customisations: ET.Element) -> Iterator[Role]:
    for role in customisations.iterfind("Roles/Role"):
        privileges = {
            p.get("name") or "": _depth(p.get("level") or "")
            for p in role.iterfind("RolePrivileges/RolePrivilege")
        }
        yield Role((role.get("id") or "").strip("{}").lower(), role.get("name") or "", privileges)


def _depth(level: str) -> Depth:
    try:
        return Depth[level.upper()]
    except KeyError:
        raise SolutionFileError(f"A privilege of a role has the level '{level}'.") from None


def _leaf(parent: ET.Element, tag: str, text: Any) -> None:
    ET.SubElement(parent, tag).text = str(text)


def _manifest(solution: SolutionFile) -> ET.Element:
    root = ET.Element("ImportExportXml", version="9.2.0.0", SolutionPackageVersion="9.2", languagecode="1033")
    about = ET.SubElement(root, "SolutionManifest")
    _leaf(about, "UniqueName", solution.name)
    _leaf(about, "Version", solution.version)
    _leaf(about, "Managed", int(solution.is_managed))
    publisher = ET.SubElement(about, "Publisher")
    _leaf(publisher, "UniqueName", solution.publisher)
    _leaf(publisher, "CustomizationPrefix", solution.prefix)
    _leaf(publisher, "CustomizationOptionValuePrefix", solution.option_prefix)
    return root


def _customisations(solution: SolutionFile) -> ET.Element:
    root = ET.Element("ImportExportXml")
    entities = ET.SubElement(root, "Entities")
    for table in sorted({*solution.columns, *solution.keys}):
        info = ET.SubElement(ET.SubElement(entities, "Entity"), "EntityInfo")
        entity = ET.SubElement(info, "entity", Name=table)
        attributes = ET.SubElement(entity, "attributes")
        for column in solution.columns.get(table, ()):
            _attribute(attributes, column)
        keys = ET.SubElement(entity, "EntityKeys")
        for name, columns in solution.keys.get(table, {}).items():
            key = ET.SubElement(keys, "EntityKey")
            _leaf(key, "Name", name)
            _leaf(key, "LogicalName", name.lower())
            within = ET.SubElement(key, "EntityKeyAttributes")
            for each in columns:
                _leaf(within, "AttributeName", each)
    roles = ET.SubElement(root, "Roles")
    for role in solution.roles:
        held = ET.SubElement(
            ET.SubElement(roles, "Role", id=f"{{{role.id}}}", name=role.name), "RolePrivileges"
        )
        for name, depth in role.privileges.items():
            ET.SubElement(held, "RolePrivilege", name=name, level=depth.name.capitalize())
    return root


def _attribute(parent: ET.Element, column: Column) -> None:
    made = ET.SubElement(parent, "attribute", PhysicalName=column.name)
    _leaf(made, "Type", _TYPES[column.type])
    _leaf(made, "LogicalName", column.name)
    if column.max_length:
        _leaf(made, "MaxLength", column.max_length)
    if column.type == "DateOnly":
        _leaf(made, "Behavior", 2)
    if column.type in ("Decimal", "Double"):
        _leaf(made, "Accuracy", column.precision)
    for tag, value in (("MinValue", column.min), ("MaxValue", column.max)):
        if value is not None:
            _leaf(made, tag, value)
