"""Shadow: what an integration would write for real records, with both totals, while a write is impossible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tagline.alm import environments
from tagline.clock import Clock
from tagline.connectors.dataverse.pricing import PricedLine, order_total
from tagline.domain.environment import EnvironmentConfig
from tagline.domain.exchange import WriteKind
from tagline.domain.model import Ref
from tagline.errors import Disposition, RecordError, TaglineError
from tagline.flow.drive import drive
from tagline.flow.effects import Verb
from tagline.flow.shadow import Intention, ShadowDriver
from tagline.harness import scenario as scenarios
from tagline.integration import Integration, load_from
from tagline.integration.remotes import reading

TOTAL = "totalamount"
"""Column of the remote's computed total that a flow expects."""


@dataclass(frozen=True)
class Looked:
    """What one record would do."""

    key: str
    intentions: tuple[Intention, ...]
    """Writes, in order; expectations stand apart."""
    source_total: Decimal | None
    """What the flow expects the remote to compute: the source's own total."""
    target_total: Decimal | None
    """What the remote will compute of the header and lines; None where they stand already."""
    error: TaglineError | None
    """Why it would become a dead letter."""

    @property
    def totals_agree(self) -> bool:
        return (
            self.source_total is None or self.target_total is None or self.source_total == self.target_total
        )


def look(
    root: Path, name: str, config: EnvironmentConfig, *, last: int, keys: Sequence[str], clock: Clock
) -> list[Looked]:
    """
    Run an integration of the working copy in shadow for records of an environment; reads only.

    Args:
        last: How many of the newest records, where no key is named.

    Raises:
        TaglineError: The package cannot be loaded, the configuration does not fit it, or a remote cannot be read.
    """
    integration = load_from(root, name)
    environments.check_settings(config, integration)
    section = config.integrations.get(name)
    settings = integration.settings.model_validate(dict(section.settings) if section else {})
    flow = scenarios.only_flow(integration)
    with reading(integration, config, clock=clock) as connectors:
        source = connectors[flow.source.remote.system]
        chosen = scenarios.check_keys(keys) or tuple(source.recent(flow.source, last))
        fetched = source.fetch(flow.source, chosen)
        driver = ShadowDriver(connectors)
        ended = drive(flow, fetched.records, settings, driver)
        for each in ended.values():
            if each.error is not None and each.error.disposition is not Disposition.DEAD_LETTER:
                raise each.error  # a remote that cannot be used says nothing about the record
    return [
        _looked(
            key,
            driver.intentions,
            ended[key].error if key in ended else _absent(integration, key, fetched.malformed),
        )
        for key in chosen
    ]


def _absent(
    integration: Integration, key: str, malformed: Mapping[str, tuple[Mapping[str, str], ...]]
) -> TaglineError:
    if key in malformed:
        return RecordError(
            f"record {key} cannot be understood",
            code="record-malformed",
            where={"integration": integration.name},
            hint="correct the record in its system",
            details=malformed[key],
        )
    return RecordError(f"record {key} is not there", code="record-gone", hint="name another key")


def _looked(key: str, intentions: Iterable[Intention], error: TaglineError | None) -> Looked:
    mine = tuple(i for i in intentions if i.record == key)
    writes = tuple(i for i in mine if i.verb is not Verb.EXPECT)
    expected = next((i.changes[TOTAL][1] for i in mine if i.verb is Verb.EXPECT and TOTAL in i.changes), None)
    return Looked(key, writes, expected, _computed(writes), error)


def _computed(writes: Sequence[Intention]) -> Decimal | None:
    """The total of an order that would be created with its lines."""
    header = next((i for i in writes if i.entity == "salesorder" and i.kind is WriteKind.CREATE), None)
    if header is None:
        return None
    lines = [
        PricedLine(*(_number(i, n) for n in ("quantity", "priceperunit", "manualdiscountamount", "tax")))
        for i in writes
        if i.entity == "salesorderdetail" and i.kind is WriteKind.CREATE
    ]
    return order_total(lines, _number(header, "freightamount"), _number(header, "discountamount"))


def _number(intention: Intention, name: str) -> Decimal:
    value = intention.changes.get(name, (None, None))[1]
    return Decimal(value) if value is not None else Decimal(0)


def render(found: Sequence[Looked]) -> str:
    """For people: each record with its writes field by field, then the sum of it all."""
    lines: list[str] = []
    for record in found:
        lines += [*_record_lines(record), ""]
    dead = [r for r in found if r.error is not None]
    writing = [r for r in found if r.intentions and r.error is None]
    differing = [r for r in found if not r.totals_agree]
    lines.append(
        f"{len(found)} {'record' if len(found) == 1 else 'records'}: {len(writing)} would be written, {len(found) - len(writing) - len(dead)} are as they should be, "
        f"{len(dead)} would become {'a dead letter' if len(dead) == 1 else 'dead letters'}"
    )
    lines += [f"  {r.key}: {r.error.code}: {r.error.message}" for r in dead if r.error]
    if differing:
        lines.append(f"totals differ in {len(differing)}: {', '.join(r.key for r in differing)}")
    lines.append("nothing was written")
    return "\n".join(lines)


def _record_lines(record: Looked) -> list[str]:
    lines = [f"record {record.key}"]
    if record.error is not None:
        lines.append(f"  dead letter: {record.error.code}: {record.error.message}")
        if isinstance(record.error, RecordError):
            lines += [
                "    " + " · ".join(f"{k}: {v}" for k, v in d.items() if v) for d in record.error.details
            ]
        if record.error.hint:
            lines.append(f"    next: {record.error.hint}")
    if record.source_total is not None:
        told = "" if record.target_total is None else f", the target will compute {record.target_total}"
        lines.append(f"  total: the source says {record.source_total}{told}")
    for intention in record.intentions:
        what = intention.action or (intention.kind.value if intention.kind else intention.verb.value)
        lines.append(f"  {what} {intention.entity} ({intention.reversibility.value})")
        lines += [
            f"    {name}: {_shown(after)}"
            if before is None
            else f"    {name}: {_shown(before)} -> {_shown(after)}"
            for name, (before, after) in intention.changes.items()
        ]
    if not record.intentions and record.error is None:
        lines.append("  nothing to write")
    return lines


def to_json(record: Looked) -> dict[str, Any]:
    """One record as JSON values."""
    return {
        "key": record.key,
        "source_total": str(record.source_total) if record.source_total is not None else None,
        "target_total": str(record.target_total) if record.target_total is not None else None,
        "dead_letter": {"code": record.error.code, "message": record.error.message} if record.error else None,
        "intentions": [
            {
                "entity": i.entity,
                "kind": i.action or (i.kind.value if i.kind else i.verb.value),
                "reversibility": i.reversibility.value,
                "changes": {n: [_shown(b), _shown(a)] for n, (b, a) in i.changes.items()},
            }
            for i in record.intentions
        ],
    }


def _shown(value: Any) -> str:
    if isinstance(value, Ref):
        return f"{value.model.__name__}({', '.join(f'{n}={v}' for n, v in value.key)})"
    return "(blank)" if value is None else str(value)
