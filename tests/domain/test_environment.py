"""What a configuration may say of connections and of the applications that sign in to them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tagline.domain.environment import Connection, FinanceConnection, Identity

FINANCE = {
    "system": "finance",
    "url": "https://contoso.operations.dynamics.com",
    "tenant": "contoso",
    "client_id": "app",
    "client_secret": "env:SECRET",
    "company": "usmf",
}


def parse(**changes):
    given = {k: v for k, v in {**FINANCE, **changes}.items() if v is not None}
    return TypeAdapter(Connection).validate_python(given)


@pytest.mark.parametrize("proof", ["client_secret", "certificate", "assertion"])
def test_an_application_proves_itself_by_one_of_three(proof):
    assert getattr(Identity.model_validate({"client_id": "app", proof: "file:/x"}), proof) == "file:/x"


@pytest.mark.parametrize(
    "proofs", [{}, {"client_secret": "env:A", "certificate": "env:B"}, {"client_secret": "the secret itself"}]
)
def test_no_proof_two_proofs_and_a_secret_in_the_open_are_refused(proofs):
    with pytest.raises(ValidationError):
        Identity.model_validate({"client_id": "app", **proofs})


def test_a_connection_to_finance_names_its_legal_entity():
    assert isinstance(parse(), FinanceConnection)
    for company in (None, "", "toolong", "us'f"):
        with pytest.raises(ValidationError):
            parse(company=company)


def test_the_application_that_sets_up_is_held_to_the_same():
    assert parse(deploy={"client_id": "other", "assertion": "file:/token"}).deploy.client_id == "other"
    with pytest.raises(ValidationError):
        parse(deploy={"client_id": "other"})
