"""Differences between a remote's table and our model, judged by what the mappings use."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.finance.entities import ENTITIES
from tagline.connectors.finance.metadata import schemas_of
from tagline.domain.model import Model, Remote, column, columns
from tagline.domain.schema import Basis, ColumnSchema, KeySchema, Schema
from tagline.flow.usage import TableUse
from tagline.integration.drift import Finding, Weight, compare
from tagline.sandbox.finance_metadata import finance_csdl
from tagline.sandbox.finance_schema import Schema as FinanceSchema


class Crate(Model):
    remote: ClassVar[Remote] = Remote("depot", "crate", "crates", "crateid", (("label",),))

    crateid: str | None = column()
    label: str | None = column(required=True, max_length=20)
    weight: float | None = column(precision=2)
    colour: int | None = column(options=(1, 2))
    note: str | None = column(max_length=100)


USE = TableUse(
    Crate,
    reads={"label": ("to_crate",), "weight": ("to_crate",), "colour": ("to_crate",)},
    writes={"label": ("to_crate",), "weight": ("to_crate",), "colour": ("to_crate",)},
    creates=True,
    changes=True,
    keys=frozenset({("label",)}),
)
SCHEMA = Schema(
    "crate",
    Basis.METADATA,
    {
        "crateid": ColumnSchema("Uniqueidentifier"),
        "label": ColumnSchema("String", True, True, True, max_length=20),
        "weight": ColumnSchema("Decimal", True, True, False, precision=2),
        "colour": ColumnSchema("Picklist", True, True, False, options={"1": "Red", "2": "Blue"}),
        "note": ColumnSchema("String", True, True, False, max_length=100),
    },
    (KeySchema("crate_label", ("label",), is_active=True),),
    tracks_changes=True,
)


def _with(**changed: ColumnSchema | None) -> Schema:
    told = {**SCHEMA.columns, **changed}
    return replace(SCHEMA, columns={n: c for n, c in told.items() if c is not None})


def _one(found: tuple[Finding, ...]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def test_a_table_that_is_as_the_model_says_shows_nothing():
    assert compare(USE, SCHEMA, swept=True) == ()


@pytest.mark.parametrize(
    ("name", "theirs", "what"),
    [
        ("label", None, "column-gone"),
        ("label", ColumnSchema("String", True, True, True, max_length=10), "column-shorter"),
        ("label", ColumnSchema("String", True, False, True, max_length=20), "not-changeable"),
        ("label", ColumnSchema("String", False, True, True, max_length=20), "not-creatable"),
        ("colour", ColumnSchema("Picklist", options={"1": "Red"}), "option-gone"),
    ],
)
def test_what_a_mapping_writes_and_the_remote_no_longer_takes_breaks(name, theirs, what):
    found = _one(compare(USE, _with(**{name: theirs})))
    assert (found.what, found.weight, found.column, found.mappings) == (
        what,
        Weight.BREAKS,
        name,
        ("to_crate",),
    )


@pytest.mark.parametrize(
    ("name", "theirs", "what"),
    [
        ("colour", ColumnSchema("Picklist", options={"1": "Red", "2": "Blue", "3": "Green"}), "option-added"),
        ("weight", ColumnSchema("Decimal", precision=1), "precision-changed"),
    ],
)
def test_what_only_some_records_would_meet_warns(name, theirs, what):
    found = _one(compare(USE, _with(**{name: theirs})))
    assert (found.what, found.weight) == (what, Weight.WARNS)


def test_an_added_option_is_named_with_its_label():
    told = _with(colour=ColumnSchema("Picklist", options={"1": "Red", "2": "Blue", "7": "Teal"}))
    assert "7 Teal" in _one(compare(USE, told)).message


class Sack(Model):
    remote: ClassVar[Remote] = Remote("depot", "sack", "sacks", "sackid")

    sackid: str | None = column()
    state: Annotated[Literal["Open", "Sewn"], "mark"] | None = column()


@pytest.mark.parametrize(
    ("members", "what", "weight", "named"),
    [
        (("Open", "Sewn", "Torn"), "option-added", Weight.WARNS, ": Torn"),
        (("Open",), "option-gone", Weight.BREAKS, " Sewn"),
    ],
    ids=["added", "gone"],
)
def test_members_of_an_enumeration_are_compared_by_name(members, what, weight, named):
    told = {"sackid": ColumnSchema("Key"), "state": ColumnSchema("State", options={m: m for m in members})}
    use = TableUse(Sack, writes={"state": ("to_sack",)}, creates=True)
    found = _one(compare(use, Schema("sack", Basis.METADATA, told)))
    assert (found.what, found.weight, found.mappings) == (what, weight, ("to_sack",))
    assert found.message.endswith(named)


def test_a_table_that_is_gone_is_one_difference():
    found = _one(compare(USE, Schema("crate", Basis.METADATA)))
    assert (found.what, found.weight, found.mappings) == ("table-gone", Weight.BREAKS, ("to_crate",))


FINANCE = [model for model in ENTITIES if any(c.options for c in columns(model).values())]


@pytest.mark.parametrize("model", ENTITIES, ids=lambda m: m.__name__)
def test_every_model_of_finance_is_as_its_metadata_says(model):
    schema = schemas_of(finance_csdl(FinanceSchema()), ENTITIES.values())[model.remote.collection]
    assert compare(TableUse(model, keys=frozenset(map(_sorted, model.remote.keys))), schema) == ()


@pytest.mark.parametrize("model", FINANCE, ids=lambda m: m.__name__)
def test_a_member_that_an_environment_of_finance_adds_or_lacks_is_told(model):
    for name, ours in columns(model).items():
        if not ours.options:
            continue
        theirs = FinanceSchema()
        theirs.change(kind := theirs.entities[model.remote.collection].fields[name], "Acme", is_there=True)
        theirs.change(kind, ours.options[1], is_there=False)
        schema = schemas_of(finance_csdl(theirs), ENTITIES.values())[model.remote.collection]
        found = compare(TableUse(model, writes={name: ("to_it",)}), schema)
        told = {f.what: f.message for f in found if f.column == name}
        assert told["option-added"].endswith(": Acme")
        assert told["option-gone"].endswith(f" {ours.options[1]}")


def _sorted(key):
    return tuple(sorted(key))


def test_a_difference_in_a_column_that_nobody_uses_is_only_noted():
    assert _one(compare(USE, _with(note=None))).weight is Weight.NOTED


def test_a_column_that_became_required_and_that_no_mapping_gives_breaks():
    found = _one(compare(USE, _with(note=ColumnSchema("String", True, True, True, max_length=100))))
    assert (found.what, found.weight) == ("column-required", Weight.BREAKS)


def test_a_required_column_that_the_model_does_not_know_warns_only_where_rows_are_created():
    told = _with(acme_lot=ColumnSchema("String", True, True, True))
    assert _one(compare(USE, told)).weight is Weight.WARNS
    assert compare(replace(USE, creates=False), told) == ()


@pytest.mark.parametrize(
    ("keys", "what"),
    [((), "key-missing"), ((KeySchema("crate_label", ("label",), is_active=False),), "key-inactive")],
)
def test_the_key_that_rows_are_addressed_by_must_stand_and_be_active(keys, what):
    assert _one(compare(USE, replace(SCHEMA, keys=keys))).what == what


def test_a_key_is_not_asked_of_a_table_that_is_only_read_by_id():
    assert compare(TableUse(Crate, reads={"label": ("find",)}), replace(SCHEMA, keys=())) == ()


def test_whoever_reads_a_column_is_named_as_well_as_whoever_writes_it():
    use = replace(USE, reads={"note": ("is_fragile",), **USE.reads})
    found = _one(compare(use, _with(note=None)))
    assert (found.weight, found.mappings) == (Weight.BREAKS, ("is_fragile",))


def test_no_record_to_look_at_says_nothing_about_any_column():
    found = _one(compare(USE, Schema("crate", Basis.SAMPLES)))
    assert (found.what, found.weight) == ("nothing-to-see", Weight.NOTED)


def test_samples_prove_no_absence():
    told = replace(_with(weight=None), basis=Basis.SAMPLES, keys=())
    found = _one(compare(USE, told))
    assert (found.what, found.weight) == ("column-unseen", Weight.WARNS)


def test_a_swept_table_should_track_its_changes():
    told = replace(SCHEMA, tracks_changes=False)
    assert _one(compare(USE, told, swept=True)).what == "changes-untracked"
    assert compare(USE, told) == ()


@given(st.sets(st.sampled_from(["label", "weight", "colour", "note"])))
def test_each_column_that_is_gone_is_told_once_the_gravest_first(gone):
    found = compare(USE, _with(**dict.fromkeys(gone)))
    assert {f.column for f in found if f.what == "column-gone"} == gone
    order = list(Weight)
    assert [order.index(f.weight) for f in found] == sorted(order.index(f.weight) for f in found)
