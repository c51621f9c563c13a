"""Making recorded traffic safe to keep: only declared fields stay, people become pseudonyms, and a proof that it is so.

The rewritten form is what the recording run itself works with, so that everything derived from it (keys,
addresses, writes) agrees with the cassette.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from tagline.connectors.shift4shop.models.product import SKU_INFO, lifted
from tagline.domain.model import Model, columns
from tagline.domain.scrub import scrub

FREE_TEXT: Final = frozenset({"CustomerComments", "InternalComments"})
"""Fields in which people write anything; blanked."""


class Pseudonyms:
    """
    A keyed one-way substitution of personal values: equal values get equal pseudonyms, length and kind of
    character stay, so that limits and formats still bite. The key is thrown away with the object.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.originals: set[str] = set()
        """Every value that was replaced, for the proof."""

    def of(self, value: str) -> str:
        """The pseudonym of one value; blank stays blank."""
        if not value.strip():
            return value
        self.originals.add(value)
        local, at, _ = value.partition("@")
        return f"{self._letters(local)}@example.com" if at else self._letters(value)

    def _letters(self, value: str) -> str:
        digest = hmac.new(self._key, value.encode(), hashlib.sha256).digest()
        stream = digest * (len(value) // len(digest) + 1)
        return "".join(_like(char, byte) for char, byte in zip(value, stream, strict=False))


def _like(char: str, byte: int) -> str:
    if char in string.ascii_lowercase:
        return string.ascii_lowercase[byte % 26]
    if char in string.ascii_uppercase:
        return string.ascii_uppercase[byte % 26]
    if char.isdigit():
        return str(byte % 10)
    return "é" if char.isalpha() and not char.isascii() else char


def rewriter(models: Iterable[type[Model]], pseudonyms: Pseudonyms) -> Callable[[Any], Any]:
    """
    A function over JSON values that drops secrets, blanks free text and replaces personal fields.

    A personal field is one that a model declares so. The names of all models count everywhere, except one that means a person
    in one model and a thing in another, `name` above all: it counts where no other model's primary id stands beside it.
    """
    by_model = {model: {n: facts.personal for n, facts in columns(model).items()} for model in models}
    everywhere = {name for facts in by_model.values() for name, personal in facts.items() if personal}

    def rewrite(value: Any) -> Any:
        if isinstance(value, Mapping):
            beside = lifted(value)
            own = next((facts for m, facts in by_model.items() if m.remote.primary_id in beside), {})
            return {k: leaf(k, v, own.get(k, k in everywhere)) for k, v in value.items()}
        return [rewrite(v) for v in value] if isinstance(value, list) else value

    def leaf(name: str, value: Any, personal: bool) -> Any:
        if isinstance(value, str) and name in FREE_TEXT:
            return ""
        return pseudonyms.of(value) if isinstance(value, str) and personal else rewrite(value)

    return lambda value: rewrite(scrub(value))


def only_declared(record: Mapping[str, Any], model: type[Model]) -> dict[str, Any]:
    """
    The fields of a raw source record that its model declares, also in its nested lists; nothing else is kept.

    A product keeps its form: what its model has side by side with the rest stands in an object of its own.
    """
    inner = record.get(SKU_INFO)
    kept: dict[str, Any] = {SKU_INFO: only_declared(inner, model)} if isinstance(inner, Mapping) else {}
    for name, info in model.model_fields.items():
        if name not in record:
            continue
        child = _element(info.annotation)
        value = record[name]
        kept[name] = (
            [only_declared(v, child) for v in value if isinstance(v, Mapping)]
            if child and isinstance(value, list)
            else value
        )
    return kept


def _element(annotation: Any) -> type[Model] | None:
    args = getattr(annotation, "__args__", ())
    first = args[0] if args else None
    return first if isinstance(first, type) and issubclass(first, Model) else None


CARD: Final = re.compile(r"(?<![\d.-])(?:\d[ -]?){13,19}(?![\d.-])")
EMAIL: Final = re.compile(r"[\w.+%-]+@(?!example\.com|(?i:odata|microsoft)\.)[\w-]+\.[\w.]+")
"""An address outside the reserved domain; `name@odata.bind` and its like are annotations of the protocol."""
MIN_TEXT: Final = 5
MIN_DIGITS: Final = 7
"""The shortest text and the shortest number that the proof looks for; a phone number without area code has seven digits."""
BEARER: Final = re.compile(r"(?i)bearer\s+\S{8,}|eyJ[\w-]{10,}\.[\w-]{10,}")


def leaks(text: str, *, secrets: Iterable[str], originals: Iterable[str]) -> list[str]:
    """
    What in a recorded text must not be there; empty is the proof.

    Looks for the secrets and the replaced values in plain, percent, JSON-escaped and Base64 form, for card numbers that
    satisfy Luhn's sum, for e-mail addresses outside `example.com` and for tokens. Answers name the kind, never the value.

    The limits of the proof: a number of 13 or 14 digits that is a bar code passes for no card; of the replaced values it
    leaves out those under five characters and numbers under seven digits
    (house numbers, short postcodes), which stand in any text by chance; and it knows only of values that were replaced.
    What no model declares personal is kept as it is: cities, states and countries, and `ItemDescription`, whose options
    may hold an engraving. Read those in a recording of real orders before you commit it.
    """
    found = [
        f"secret {n} in {form} form" for n, v in enumerate(secrets, 1) for form, t in _forms(v) if t in text
    ]
    found += sorted(
        {
            f"personal value of {len(v)} characters in {form} form"
            for v in {original.strip() for original in originals}
            if len(v) >= (MIN_DIGITS if v.isdigit() else MIN_TEXT)
            for form, t in _forms(v)
            if _stands_in(t, text)
        }
    )
    if any(_luhn(re.sub(r"\D", "", m.group())) for m in CARD.finditer(text)):
        found.append("card number")
    if EMAIL.search(text):
        found.append("e-mail address")
    if BEARER.search(text):
        found.append("token")
    return found


def _stands_in(value: str, text: str) -> bool:
    """Whether a value is there; a number only as a whole, since part of a longer one is chance."""
    if value.isdigit():
        return re.search(rf"(?<!\d){value}(?!\d)", text) is not None
    return value in text


def _forms(value: str) -> list[tuple[str, str]]:
    return [
        ("plain", value),
        ("percent", quote(value, safe="")),
        ("JSON", json.dumps(value)[1:-1]),
        *(("Base64", text) for text in _base64_cores(value.encode()) if len(text) >= 8),
    ]


def _base64_cores(value: bytes) -> list[str]:
    """How the value looks inside any Base64 text, at each of the three alignments, without the bordering characters."""
    cores = []
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + value).decode().rstrip("=")
        cores.append(whole[(offset * 8 + 5) // 6 :][:-1])
    return cores


def _luhn(digits: str) -> bool:
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1 or _is_gtin(digits):
        return False
    total = 0
    for n, d in enumerate(reversed(digits)):
        value = int(d) * (2 if n % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_gtin(digits: str) -> bool:
    """
    Whether it is the bar code of an article, as a shop's products have it; of ten one satisfies Luhn's sum, too.

    Cards of 13 and 14 digits are hardly in use any more, and one in ten of those is taken for a bar code here. No card begins with
    0. Source: GS1 General Specifications, section 7.9; ISO/IEC 7812-1.
    """
    weighted = sum(int(d) * (3 if n % 2 else 1) for n, d in enumerate(reversed(digits)))
    return len(digits) in (13, 14) and (weighted % 10 == 0 or digits.startswith("0"))
