"""The catalogue of transforms: small, typed, pure functions that mappings name in their rules."""

from tagline.mapping.transforms.address import StreetLines, addressee, street_lines
from tagline.mapping.transforms.existing import Existing, fill_blank
from tagline.mapping.transforms.keys import email_key, safe_key
from tagline.mapping.transforms.money import allocate, money
from tagline.mapping.transforms.tables import Table, table
from tagline.mapping.transforms.text import blank_to_none, concat, cut, first_given, strip_html, trim
from tagline.mapping.transforms.times import date_in, instant

__all__ = [
    "Existing",
    "StreetLines",
    "Table",
    "addressee",
    "allocate",
    "blank_to_none",
    "concat",
    "cut",
    "date_in",
    "email_key",
    "fill_blank",
    "first_given",
    "instant",
    "money",
    "safe_key",
    "street_lines",
    "strip_html",
    "table",
    "trim",
]
