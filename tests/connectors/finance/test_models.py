"""Every column of every model is held to the facts that the sandbox ships, and to what the connector needs of it."""

from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.connectors.finance import models
from tagline.connectors.finance.entities import ENTITIES
from tagline.connectors.finance.wire import Kind, fields_of
from tagline.domain.model import columns
from tagline.harness.strategies import records
from tagline.sandbox.finance_schema import COMPANY, entities

MODELS = [getattr(models, name) for name in models.__all__]
KINDS = {
    Kind.TEXT: ("String",),
    Kind.WHOLE: ("Int32", "Int64"),
    Kind.NUMBER: ("Decimal",),
    Kind.DATE: ("DateTimeOffset",),
    Kind.INSTANT: ("DateTimeOffset",),
}


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_as_its_entity_is(model):
    fact, entity = entities()[model.remote.collection], ENTITIES[model]
    assert (model.remote.entity, tuple(n for n in fact.key if n != COMPANY)) == (
        fact.type,
        entity.key,
    ) or set(fact.key) - {COMPANY} == set(entity.key)
    assert entity.has_company == (COMPANY in fact.key)
    faults = {
        name: (field, fact.fields.get(name))
        for name, field in fields_of(model).items()
        if not field.is_local
        and fact.fields.get(name) not in ((field.enum,) if field.kind is Kind.ENUM else KINDS[field.kind])
    }
    assert faults == {}


@pytest.mark.parametrize("model", MODELS)
def test_an_id_is_the_key_or_a_column_of_its_own(model):
    entity = ENTITIES[model]
    if len(entity.key) == 1:
        assert model.remote.primary_id == entity.key[0]
    else:
        assert columns(model)[model.remote.primary_id].local


@pytest.mark.parametrize("model", MODELS)
def test_a_reference_leads_to_a_row_that_one_number_names(model):
    targets = [field.target for field in fields_of(model).values() if field.target is not None]
    assert [t for t in targets if len(ENTITIES[t].key) > 1] == []


@pytest.mark.parametrize("model", [m for m in MODELS if ENTITIES[m].is_read_only])
def test_of_an_entity_that_is_only_read_no_column_is_written(model):
    assert [c.name for c in columns(model).values() if c.create or c.update] == []


@settings(max_examples=30)
@given(st.data())
def test_the_laws_have_values_for_every_model(data):
    model = data.draw(st.sampled_from(MODELS))
    assert isinstance(data.draw(records(model)), model)


def test_what_rows_are_dated_by_is_a_time():
    dated = [e for e in ENTITIES.values() if e.dated_by]
    assert dated
    for entity in dated:
        annotation = entity.model.model_fields[entity.dated_by].annotation
        assert annotation in (date | None, datetime | None)
