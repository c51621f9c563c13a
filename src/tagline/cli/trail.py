"""A trail as people read it and as JSON: pure, from values to text. Values of fields stand there only where they were asked for."""

from __future__ import annotations

from typing import Any, Final

from tagline.cli.output import table
from tagline.runtime.images import key_from_text
from tagline.runtime.trails import Change, Step, Trail

WIDEST: Final = 60
"""Characters of one value; an address or a description would push the others off the screen."""


def render(trail: Trail, *, values: bool = False) -> str:
    """The records, the rows they stand in, and one line a step with its fields below."""
    several = len(trail.records) > 1
    lines = [f"record {integration}/{flow} {key}" for integration, flow, key in trail.records]
    if trail.rows:
        lines += ["", "stands in"]
        lines.append(table([(s, e, i, _key(k)) for s, e, i, k in trail.rows], indent="  "))
    lines.append("")
    for step in trail.steps:
        lines.append(_line(step, several=several))
        lines += [f"      {_change(change, values=values)}" for change in step.fields] if values else []
    return "\n".join(lines)


def to_json(trail: Trail, *, values: bool = False) -> dict[str, Any]:
    """The trail as one JSON object."""
    return {
        "records": [dict(zip(("integration", "flow", "key"), each, strict=True)) for each in trail.records],
        "rows": [
            {"system": s, "entity": e, "id": i, "key": dict(key_from_text(k))} for s, e, i, k in trail.rows
        ],
        "more": trail.more,
        "steps": [
            {
                "at": step.at.isoformat(),
                "kind": step.kind,
                "key": step.record[2] if step.record else "",
                "what": step.what,
                "outcome": step.outcome,
                "deployment": step.deployment,
                "version": step.version,
                "author": step.author,
                "fields": [vars(change) if values else change.field for change in step.fields],
            }
            for step in trail.steps
        ],
    }


def _line(step: Step, *, several: bool) -> str:
    parts = [f"{step.at:%Y-%m-%d %H:%M:%S}Z", f"{step.kind:<10}"]
    if several and step.record:
        parts.append(step.record[2])
    told = step.what + (f": {step.outcome}" if step.outcome else "")
    if step.fields and len(step.fields) > 0:
        told += f" [{', '.join(change.field for change in step.fields)}]"
    if step.author:
        told += f", by {step.author}"
    if step.deployment:
        told += (
            f" · {step.version or '?'} ({step.deployment})"
            if step.kind != "deployment"
            else f" ({step.deployment})"
        )
    return "  ".join([*parts, told])


def _change(change: Change, *, values: bool) -> str:
    return f"{change.field}: {_short(change.before)} -> {_short(change.after)}" if values else change.field


def _short(value: Any) -> str:
    text = "nothing" if value in (None, "") else str(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _key(text: str) -> str:
    return ", ".join(f"{name} {value}" for name, value in key_from_text(text))
