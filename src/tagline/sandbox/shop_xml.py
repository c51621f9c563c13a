"""Records as XML and back: elements named as the properties, in the order of JSON, no namespace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tagline.sandbox.assumptions import XML_NAMES

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_OPENING = '<?xml version="1.0" encoding="utf-8"?>'
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_DEPTH = 20
PIECE = 65_536
"""Bytes that are parsed before somebody looks whether to go on: the parser does not end in the middle of what it was fed."""


def to_xml(value: Any, name: str) -> str:
    """
    A list of records, or one object, as a document.

    Args:
        name: What one element of the list is called.
    """
    if isinstance(value, list | tuple):
        outer = XML_NAMES.format(name=name)
        return f"{_OPENING}<{outer}>{''.join(_element(name, each) for each in value)}</{outer}>"
    return _OPENING + _element(name, value)


def _element(name: str, value: Any) -> str:
    if value is None:
        return f'<{name} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true" />'
    if isinstance(value, Mapping):
        inner = "".join(_element(n, v) for n, v in value.items())
    elif isinstance(value, list | tuple):
        inner = "".join(_element(_singular(name), each) for each in value)
    elif isinstance(value, bool):
        inner = str(value).lower()
    elif isinstance(value, str | int):
        inner = escape(_NOT_IN_XML.sub("", str(value)), {"\r": "&#13;"})
    else:
        inner = repr(float(value))
    return f"<{name}>{inner}</{name}>" if inner else f"<{name} />"


def _singular(name: str) -> str:
    """`OrderItemList` holds elements `OrderItem`."""
    return name.removesuffix("List") if name.endswith("List") else "Item"


def from_xml(body: bytes) -> Any:
    """
    A document as JSON would have it; all leaves are text.

    Raises:
        ValueError: It is no XML, declares a document type, or is nested too deeply.
    """
    if b"\0" in body or b"<!" in body.replace(b"<![CDATA[", b""):
        raise ValueError("a document type, or an encoding that could hide one, is not taken")
    parser = ET.XMLParser(target=_Shallow())  # noqa: S314 - without a document type there are no entities to expand
    try:
        for start in range(0, len(body), PIECE):
            parser.feed(body[start : start + PIECE])
        root = parser.close()
    except ET.ParseError as error:
        raise ValueError("no XML") from error
    return _value(root)


class _Shallow(ET.TreeBuilder):
    """Ends at the first element that is nested too deeply, not after it has built ten million of them."""

    _depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag)


def _value(element: ET.Element) -> Any:
    tag = element.tag.rpartition("}")[2]
    if element.get(NIL) == "true":
        return None
    if tag.endswith("List") or tag.startswith("ArrayOf"):
        return [_value(child) for child in element]
    if len(element):
        return {child.tag.rpartition("}")[2]: _value(child) for child in element}
    return element.text or ""
