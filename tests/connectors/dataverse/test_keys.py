import json

import httpx
import pytest

from tagline.connectors.dataverse import Account, ProductInventory
from tagline.connectors.dataverse.keys import POLL_S, WAIT_S
from tagline.errors import NotAuthorisedError, RefusedError, TryAgainError

PATH = "/api/data/v9.2/EntityDefinitions(LogicalName='account')/Keys"


class Keys:
    """The keys of a table; a new one has each of these states in turn."""

    def __init__(self, *states, standing=()):
        self.states = list(states)
        self.keys = [
            {"SchemaName": "x", "KeyAttributes": list(columns), "EntityKeyIndexStatus": status}
            for columns, status in standing
        ]
        self.added = []

    def __call__(self, request):
        assert request.url.path == PATH
        if request.method == "POST":
            self.added.append(json.loads(request.content))
            self.keys.append(
                {"KeyAttributes": self.added[-1]["KeyAttributes"], "EntityKeyIndexStatus": "Pending"}
            )
            return httpx.Response(204)
        told = httpx.Response(200, json={"value": self.keys})
        if self.keys and self.states:
            self.keys[-1] = {**self.keys[-1], "EntityKeyIndexStatus": self.states.pop(0)}
            told = httpx.Response(200, json={"value": self.keys})
        return told


OURS = ("tl_customerkey",)


def test_a_missing_key_is_made_and_waited_for(make_dataverse, clock):
    keys = Keys("Pending", "InProgress", "Active")
    before = clock.now()
    assert make_dataverse(keys).ensure_keys(Account) == ["tl_account_customerkey"]
    assert (clock.now() - before).total_seconds() == 2 * POLL_S
    [added] = keys.added
    assert (added["SchemaName"], added["KeyAttributes"]) == ("tl_account_customerkey", ["tl_customerkey"])
    assert added["DisplayName"]["LocalizedLabels"][0]["Label"] == "tl_account_customerkey"


def test_an_active_key_of_whatever_name_is_enough(make_dataverse, clock):
    keys = Keys(standing=[(OURS, "Active")])
    assert make_dataverse(keys).ensure_keys(Account) == []
    assert keys.added == []


def test_a_key_that_failed_says_what_to_do(make_dataverse):
    with pytest.raises(RefusedError) as caught:
        make_dataverse(Keys("InProgress", "Failed")).ensure_keys(Account)
    assert (caught.value.code, caught.value.where["entity"]) == ("key-failed", "account")
    assert "same values" in caught.value.hint


def test_waiting_ends(make_dataverse, clock):
    before = clock.now()
    with pytest.raises(TryAgainError) as caught:
        make_dataverse(Keys(standing=[(OURS, "Pending")])).ensure_keys(Account)
    assert caught.value.code == "key-not-active"
    assert (clock.now() - before).total_seconds() == WAIT_S


def test_a_model_without_keys_needs_none(make_dataverse):
    def organisation(request):
        return httpx.Response(200, json={"value": []})

    assert make_dataverse(organisation).ensure_keys(ProductInventory) == []


def test_who_may_not_set_up_is_told_so(make_dataverse):
    def organisation(request):
        if request.method == "POST":
            return httpx.Response(403, json={"error": {"code": "0x80040220", "message": ""}})
        return httpx.Response(200, json={"value": [{"KeyAttributes": 7}]})

    with pytest.raises(NotAuthorisedError):
        make_dataverse(organisation).ensure_keys(Account)
