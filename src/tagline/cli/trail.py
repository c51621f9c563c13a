"""A trail as people read it and as JSON: pure, from values to text. Values of fields stand there only where they were asked for."""

from __future__ import annotations

from typing import Any, Final

from tagline.cli.output import table
from tagline.domain.model import Ref
from tagline.runtime.images import key_from_text
from tagline.runtime.trails import Change, Step, Trail

WIDEST: Final = 60
"""Characters of one value; an address or a description would push the others off the screen."""
HOLDING: Final = ("effect", "override")
"""Steps whose fields have values; a dead letter only names the wrong ones."""
INDENT: Final = " " * 23


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
        if values and step.kind in HOLDING:
            lines += [INDENT + _change(change) for change in step.fields]
        elif step.fields:
            lines.append(INDENT + ", ".join(change.field for change in step.fields))
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
                "fields": [
                    {"field": change.field, "before": _plain(change.before), "after": _plain(change.after)}
                    if values and step.kind in HOLDING
                    else change.field
                    for change in step.fields
                ],
            }
            for step in trail.steps
        ],
    }


def _line(step: Step, *, several: bool) -> str:
    parts = [f"{step.at:%Y-%m-%d %H:%M:%S}Z", f"{step.kind:<10}"]
    if several and step.record:
        parts.append(step.record[2])
    told = step.what + (f": {step.outcome}" if step.outcome else "")
    if step.author:
        told += f", by {step.author}"
    if step.kind == "deployment":
        told += f" ({step.deployment})"
    elif step.deployment:
        told += f" · {step.version or 'release unknown'} ({step.deployment})"
    return "  ".join([*parts, told])


def _change(change: Change) -> str:
    return f"{change.field}: {_short(change.before)} -> {_short(change.after)}"


def _short(value: Any) -> str:
    text = "nothing" if value in (None, "") else str(_plain(value))
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _plain(value: Any) -> Any:
    return (
        f"{value.model.remote.entity} {', '.join(str(each) for _, each in value.key)}"
        if isinstance(value, Ref)
        else value
    )


def _key(text: str) -> str:
    return ", ".join(f"{name} {value}" for name, value in key_from_text(text))
