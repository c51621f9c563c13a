"""What nobody is sure of, as switches of one organisation; each stands as `assumptions.py` has it until a test turns it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from tagline.sandbox import assumptions


@dataclass(frozen=True)
class OrganisationQuirks:
    """Fields are the constants of `assumptions.py` in lower case, which say what each means; those ending in `_s` are seconds."""

    rounding: str = assumptions.ROUNDING
    """A mode of the module `decimal`."""
    read_only_is_refused: bool = assumptions.READ_ONLY_IS_REFUSED
    """False passes them over."""
    missing_price_list_zeroes_overrides: bool = assumptions.MISSING_PRICE_LIST_ZEROES_OVERRIDES
    order_locked_code: str = assumptions.ORDER_LOCKED_CODE
    invalid_state_code: str = assumptions.INVALID_STATE_CODE
    product_not_active_code: str = assumptions.PRODUCT_NOT_ACTIVE_CODE
    unit_missing_code: str = assumptions.UNIT_MISSING_CODE
    unit_wrong_code: str = assumptions.UNIT_WRONG_CODE
    line_without_order_code: str = assumptions.LINE_WITHOUT_ORDER_CODE
    invoice_locked_code: str = assumptions.INVOICE_LOCKED_CODE
    line_without_invoice_code: str = assumptions.LINE_WITHOUT_INVOICE_CODE
    converted_order_is_invoiced: bool = assumptions.CONVERTED_ORDER_IS_INVOICED
    converted_invoice_is_price_locked: bool = assumptions.CONVERTED_INVOICE_IS_PRICE_LOCKED
    unsafe_key_characters: frozenset[str] = assumptions.UNSAFE_KEY_CHARACTERS
    stopped_batch_status: int = assumptions.STOPPED_BATCH_STATUS
    date_only_takes_instants: bool = assumptions.DATE_ONLY_TAKES_INSTANTS
    earliest_time: str = assumptions.EARLIEST_TIME
    """A day, `YYYY-MM-DD`."""
    delete_clears_lookups: bool = assumptions.DELETE_CLEARS_LOOKUPS
    missing_bind_status: int = assumptions.MISSING_BIND_STATUS
    week_starts_on: int = assumptions.WEEK_STARTS_ON
    """0 to 6."""
    delta_expired_status: int = assumptions.DELTA_EXPIRED_STATUS
    untracked_code: str = assumptions.UNTRACKED_CODE
    count_has_bom: bool = assumptions.COUNT_HAS_BOM
    execution_cost_s: Mapping[str, float] = field(default_factory=lambda: assumptions.EXECUTION_COST_S)
    metadata_is_free: bool = assumptions.METADATA_IS_FREE
    concurrent_retry_after_s: float = assumptions.CONCURRENT_RETRY_AFTER_S
    throttled_call_adds_s: float = assumptions.THROTTLED_CALL_ADDS_S
    dop_hint: int = assumptions.DOP_HINT
    missing_privilege_code: str = assumptions.MISSING_PRIVILEGE_CODE
    out_of_reach_code: str = assumptions.OUT_OF_REACH_CODE
    merge_refused_code: str = assumptions.MERGE_REFUSED_CODE
    bulk_duplicate_code: str = assumptions.BULK_DUPLICATE_CODE
    duplicates_found_status: int = assumptions.DUPLICATES_FOUND_STATUS
    key_steps_s: Mapping[str, float] = field(default_factory=lambda: assumptions.KEY_STEPS_S)
    metadata_refused_code: str = assumptions.METADATA_REFUSED_CODE
    async_step_delay_s: float = assumptions.ASYNC_STEP_DELAY_S
    sync_step_failed_status: int = assumptions.SYNC_STEP_FAILED_STATUS
    context_zone: int = assumptions.CONTEXT_ZONE
    """Minutes."""
    older_solution_is_refused: bool = assumptions.OLDER_SOLUTION_IS_REFUSED
    wrong_media_type_status: int = assumptions.WRONG_MEDIA_TYPE_STATUS
    bulk_delete_after_s: float = assumptions.BULK_DELETE_AFTER_S
    import_steps_s: tuple[float, float] = assumptions.IMPORT_STEPS_S
    """Of its begin and its end."""
    managed_columns_go_with_their_solution: bool = assumptions.MANAGED_COLUMNS_GO_WITH_THEIR_SOLUTION


_AS_ASSUMED = OrganisationQuirks()
_QUIRKS: ContextVar[OrganisationQuirks] = ContextVar(
    "quirks of the organisation that is answering", default=_AS_ASSUMED
)


def quirks() -> OrganisationQuirks:
    """Those of the organisation that is answering; elsewhere what is assumed."""
    return _QUIRKS.get()


@contextmanager
def quirks_in_force(turned: OrganisationQuirks) -> Iterator[None]:
    """Let `quirks()` mean these within the block."""
    token = _QUIRKS.set(turned)
    try:
        yield
    finally:
        _QUIRKS.reset(token)
