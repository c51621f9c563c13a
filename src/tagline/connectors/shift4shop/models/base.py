"""What every model of the shop has in common: how its text, numbers and switches are read.

Card data, payment tokens and password hashes are deliberately no fields: what is not declared is dropped at the edge.
Text arrives padded and is trimmed; every time is local to the store and made aware by the connector.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import BeforeValidator, ConfigDict

from tagline.domain.model import Model

_MAX_EXPONENT: Final = 100
"""Powers of ten a quoted number may reach either way, as for numbers of JSON."""


def _trimmed(value: object) -> object:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else value


def _whole(value: object) -> object:
    """The shop quotes some whole numbers; blank means none."""
    if isinstance(value, str):
        return value.strip() or 0
    return 0 if value is None else value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it is no number")
    if not isinstance(value, str):
        return 0 if value is None else value
    text = value.strip()
    try:
        number = Decimal(text or 0)
    except InvalidOperation:
        raise ValueError("it is no number") from None
    if not number.is_finite() or (number and abs(number.adjusted()) > _MAX_EXPONENT):
        raise ValueError("it is no number within bounds")
    return number


def _flag(value: object) -> object:
    return False if value is None or (isinstance(value, str) and not value.strip()) else value


def _code(value: object) -> object:
    """A name made of digits may come as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _trimmed(value)


Text = Annotated[str, BeforeValidator(_trimmed)]
Code = Annotated[str, BeforeValidator(_code)]
Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class ShopModel(Model):
    """A record as the shop sends it; fields we do not know are ignored, since the schema grows without notice."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    def key(self) -> str:
        """The record's own key as text: its id, behind its owner's where it has one."""
        remote = type(self).remote
        whole = next((names for names in remote.keys if remote.primary_id in names), (remote.primary_id,))
        return "/".join(str(getattr(self, name)) for name in whole)
