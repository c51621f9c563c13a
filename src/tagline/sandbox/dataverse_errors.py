"""What the Web API says no with: HTTP status, code and text. Source: Web API notes, sections 7 and 13."""

from __future__ import annotations

from collections.abc import Mapping

from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_schema import Table

HELP = "https://go.microsoft.com/fwlink/?linkid=2195293"


class Refusal(Exception):  # noqa: N818 - an answer on the wire, not an error of ours
    """The request is answered with an error body; nothing of it was done."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def error_annotations(refusal: Refusal) -> Mapping[str, str]:
    """What an error says beside code and text to whoever asks for annotations, by name."""
    return {
        "Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus": "0",
        "Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode": "2146233088",
        "Microsoft.PowerApps.CDS.HelpLink": f"http://go.microsoft.com/fwlink/?LinkID=398563&error={refusal.code}&client=platform",
        "Microsoft.PowerApps.CDS.TraceText": "",
        "Microsoft.PowerApps.CDS.InnerError.Message": refusal.message,
    }


def payload(table: Table, inner: str) -> Refusal:
    """0x80048d19: the body cannot be understood."""
    return Refusal(
        400,
        "0x80048d19",
        f"Error identified in Payload provided by the user for Entity :'{table.entity_set}', For more information "
        f"on this error please follow this help link {HELP}  ---->  InnerException : Microsoft.OData.ODataException: {inner}",
    )


def no_property(table: Table, name: str) -> Refusal:
    """0x80060888: `$select`, `$filter`, `$orderby` or `$expand` names what is not there."""
    return Refusal(
        400,
        "0x80060888",
        f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table.name}'.",
    )


def bad_uri(message: str) -> Refusal:
    """0x80060888: the address or a query option cannot be read."""
    return Refusal(400, "0x80060888", message)


def wrong_media_type(content_type: str) -> Refusal:
    """The body says that it is no JSON."""
    return Refusal(
        quirks().wrong_media_type_status,
        "0x80060888",
        "A supported MIME type could not be found that matches the content type of the request. None of the "
        f"supported type(s) 'application/json' matches the content type '{content_type}'.",
    )


def no_reference(content_id: str) -> Refusal:
    """0x80060888: `$n` stands for nothing here."""
    return bad_uri(f"Content-ID Reference: '${content_id}' does not exist in the batch context.")


def no_segment(name: str) -> Refusal:
    return Refusal(404, "0x8006088a", f"Resource not found for the segment '{name}'.")


def no_row(table: Table, row_id: str, status: int = 404) -> Refusal:
    return Refusal(status, "0x80040217", f"{table.name.capitalize()} With Id = {row_id} Does Not Exist")


def no_row_by_key(table: Table) -> Refusal:
    return Refusal(
        404,
        "0x80060891",
        f"A record with the specified key values does not exist in {table.name} entity",
    )


def row_exists() -> Refusal:
    return Refusal(412, "0x80040237", "A record with matching key values already exists.")


def key_violated(key: str, columns: tuple[str, ...], row_id: str) -> Refusal:
    names = ", ".join(columns)
    attributes = "".join(f"<Attribute>{name}</Attribute>" for name in columns)
    return Refusal(
        412,
        "0x80060892",
        f"Entity Key {key} violated. A record with the same value for {names} already exists. A duplicate record "
        f"cannot be created. Select one or more unique values and try again. "
        f"<EntityKey><Attributes>{attributes}</Attributes><ExistingId>{row_id}</ExistingId></EntityKey>",
    )


def version_mismatch() -> Refusal:
    return Refusal(
        412,
        "0x80060882",
        "The version of the existing record doesn't match the RowVersion property provided.",
    )


def too_long(table: Table, column: str, max_length: int) -> Refusal:
    return Refusal(
        400,
        "0x80044331",
        f"A validation error occurred.  The length of the '{column}' attribute of the '{table.name}' entity exceeded "
        f"the maximum allowed length of '{max_length}'.",
    )


def out_of_range(table: Table, column: str, *, whole: bool) -> Refusal:
    kind = "an invalid integer" if whole else "an invalid number"
    return Refusal(
        400,
        "0x8004432f" if whole else "0x80044330",
        f"A validation error occurred.  The value of the '{column}' attribute of the '{table.name}' entity is {kind}: "
        "it is outside the valid range.",
    )


def no_option(table: Table, column: str) -> Refusal:
    return Refusal(
        400,
        "0x8004431A",
        f"A validation error occurred.  The value of '{column}' on record of type '{table.name}' is outside the valid range.",
    )
