"""Every error code, command and guide is held to the code: documented where a user looks, and its examples run."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import tagline
from tagline.cli import COMMANDS
from tagline.cli.tenant import RIGHTS_HEADINGS, rights_table
from tagline.connectors.dataverse import models
from tagline.connectors.dataverse.rights import grouped
from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS
from tagline.domain.model import Model, columns
from tagline.integration.load import load_from
from tagline.integration.solution import solution_of
from tagline.runtime.endings import RUN_ALONE
from tagline.runtime.inbox import COALESCED
from tagline.runtime.sql_journal import LOOKED_AT
from tagline.sandbox.conformance import TABLE

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "tagline"
DOCS = SRC / "docs"
GUIDES = {
    "backfill",
    "connect",
    "errors",
    "flows",
    "lifecycle",
    "mappings",
    "operate",
    "privacy",
    "sandbox",
    "scale",
}
CONSTANTS = {ROW_CHANGED, ROW_EXISTS, RUN_ALONE, COALESCED, LOOKED_AT}
"""Codes that have a name, because several places tell them."""


def _codes() -> set[str]:
    """
    Codes as they stand at the places that raise them.

    Keyword `code` or `cause` with a literal text; the first argument of `reject`; the `error` of a webhook's answer.
    """
    found = set(CONSTANTS)
    for path in [*SRC.rglob("*.py"), *(ROOT / "integrations").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found |= {
                    k.value.value
                    for k in node.keywords
                    if k.arg in ("code", "cause") and isinstance(k.value, ast.Constant) and k.value.value
                }
                found |= set(_first_argument(node))
            elif isinstance(node, ast.Dict) and path.parent.name == "runtime":
                found |= set(_answer(node))
    return found


def _first_argument(call: ast.Call) -> Iterator[str]:
    match call:
        case ast.Call(func=ast.Name(id="reject" | "_come_back"), args=[ast.Constant(value=str(code)), *_]):
            yield code


def _answer(body: ast.Dict) -> Iterator[str]:
    match body:
        case ast.Dict(keys=[ast.Constant(value="error")], values=[ast.Constant(value=str(code))]):
            yield code


def _documented() -> list[str]:
    return re.findall(r"^\| `([a-z0-9-]+)` \|", (DOCS / "errors.md").read_text(), re.MULTILINE)


def test_every_error_code_is_documented_and_no_other() -> None:
    documented = set(_documented())
    assert sorted(_codes() - documented) == [], "raised and not documented"
    assert sorted(documented - _codes()) == [], "documented and never raised"


def test_every_error_code_is_documented_once() -> None:
    documented = _documented()
    assert [code for code in sorted(set(documented)) if documented.count(code) > 1] == []


def test_every_row_of_the_errors_says_what_happened_and_what_to_do() -> None:
    rows = [line for line in (DOCS / "errors.md").read_text().splitlines() if line.startswith("| `")]
    assert [row for row in rows if not re.fullmatch(r"\| `[^`]+` \| [^|]+\. \| [^|]+\. \|", row)] == []


def test_every_code_is_kebab_case() -> None:
    assert [c for c in sorted(_codes()) if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", c)] == []


def test_every_command_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"tagline {name}" not in readme] == []


def test_the_public_face_is_what_it_lists() -> None:
    def as_ruff_sorts(name: str) -> tuple[bool, bool, str]:
        return not name.isupper(), not name[0].isupper(), name

    assert sorted(tagline.__all__, key=as_ruff_sorts) == list(tagline.__all__)
    assert [name for name in tagline.__all__ if not hasattr(tagline, name)] == []


def test_every_guide_is_there() -> None:
    assert {path.stem for path in DOCS.glob("*.md")} == GUIDES


@pytest.mark.parametrize("guide", sorted(DOCS.glob("*.md")), ids=lambda p: p.stem)
def test_links_between_the_guides_lead_somewhere(guide: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+\.md)\)", guide.read_text())
    assert [name for name in targets if not (DOCS / name).exists()] == []


@pytest.mark.parametrize("guide", sorted(DOCS.glob("*.md")), ids=lambda p: p.stem)
def test_commands_in_the_guides_exist(guide: Path) -> None:
    named = set(re.findall(r"(?:^ {4}|`)tagline ([a-z][a-z-]*)", guide.read_text(), re.MULTILINE))
    assert sorted(named - set(COMMANDS)) == []


@pytest.mark.parametrize("guide", sorted(DOCS.glob("*.md")), ids=lambda p: p.stem)
def test_python_in_the_guides_runs(guide: Path, tmp_path: Path) -> None:
    """
    The blocks of a guide, in order, in one module.

    Each is written to a file, since mappings and flows are read from their source.
    """
    module = ModuleType("guide").__dict__
    blocks = re.findall(r"^```python\n(.*?)^```", guide.read_text(), re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks, 1):
        path = tmp_path / f"{guide.stem}_{number}.py"
        path.write_text(block)
        exec(compile(block, path, "exec"), module)


def test_the_sandbox_guide_shows_the_conformance_table() -> None:
    rows = [
        f"| {b.system} | {b.what} | {b.basis.value} | {b.constant and f'`{b.constant}`'} |" for b in TABLE
    ]
    shown = re.findall(
        r"^\| (?:shift4shop|dataverse|login|finance) \|.*$", (DOCS / "sandbox.md").read_text(), re.MULTILINE
    )
    assert rows == shown


def test_the_connect_guide_names_the_columns_and_keys_that_the_models_use() -> None:
    text = (DOCS / "connect.md").read_text()
    entities = [
        m for m in vars(models).values() if isinstance(m, type) and issubclass(m, Model) and m is not Model
    ]
    ours = [(m.remote.entity, c) for m in entities for c in columns(m).values() if c.name.startswith("tl_")]
    rows = [f"| {e} | `{c.name}` | {f'text, {c.max_length}' if c.max_length else 'date'}" for e, c in ours]
    keyed = [(m.remote.entity, key) for m in entities for (key,) in m.remote.keys]
    rows += [f"| {entity} | `tl_{entity}_{key.removeprefix('tl_')}` | `{key}` |" for entity, key in keyed]
    assert [row for row in rows if row not in text] == []


def test_the_connect_guide_lists_the_rights_that_the_generated_role_holds() -> None:
    made = solution_of(load_from(ROOT, "order_to_cash"))
    rows = [f"| {' | '.join(cells)} |" for cells in (RIGHTS_HEADINGS, *rights_table(grouped(made.rights)))]
    text = (DOCS / "connect.md").read_text()
    start = text.index(rows[0])
    shown = text[start : text.index("\n\n", start)].splitlines()
    assert [row for row in shown if not row.startswith("|--")] == rows
