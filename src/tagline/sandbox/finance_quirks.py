"""What nobody is sure of, as switches of one Finance environment; each stands as `assumptions.py` has it until a test turns it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from tagline.sandbox import assumptions


@dataclass(frozen=True)
class FinanceQuirks:
    """Fields are the constants of `assumptions.py` that begin with `FINANCE_`, in lower case and without that."""

    stranger_status: int = assumptions.FINANCE_STRANGER_STATUS
    stale_status: int = assumptions.FINANCE_STALE_STATUS
    patch_creates: bool = assumptions.FINANCE_PATCH_CREATES
    event_repeats_s: tuple[float, ...] = assumptions.FINANCE_EVENT_REPEATS_S
    paths_go_below_rows: bool = assumptions.FINANCE_PATHS_GO_BELOW_ROWS
    withheld_status: int = assumptions.FINANCE_WITHHELD_STATUS
    page_option: str = assumptions.FINANCE_PAGE_OPTION
    """`$skiptoken` or `$skip`."""
    read_only_is_refused: bool = assumptions.FINANCE_READ_ONLY_IS_REFUSED
    """False passes them over."""
    whole_digits: int = assumptions.FINANCE_WHOLE_DIGITS
    """1 to 15."""
    given_amount_stands: bool = assumptions.FINANCE_GIVEN_AMOUNT_STANDS
    reservation: str = assumptions.FINANCE_RESERVATION
    """A member of InventoryReservationMethod."""


_AS_ASSUMED = FinanceQuirks()
_QUIRKS: ContextVar[FinanceQuirks] = ContextVar(
    "quirks of the Finance environment that is answering", default=_AS_ASSUMED
)


def quirks() -> FinanceQuirks:
    """Those of the environment that is answering; elsewhere what is assumed."""
    return _QUIRKS.get()


@contextmanager
def quirks_in_force(turned: FinanceQuirks) -> Iterator[None]:
    """Let `quirks()` mean these within the block."""
    token = _QUIRKS.set(turned)
    try:
        yield
    finally:
        _QUIRKS.reset(token)
