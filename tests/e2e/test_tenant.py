"""Looking at a tenant and setting it up, by command against served systems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.ground import ground

from tagline.alm import git
from tagline.harness.scratch import Scratch


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """The systems of dev with some orders, and nothing deployed."""
    with ground(tmp_path_factory.mktemp("tenant")) as made:
        made.sandbox.shops["dev"].place_orders(3, seed=1)
        yield made


def test_the_doctor_finds_a_ready_environment_ready(tenant: Scratch) -> None:
    told = json.loads(tenant.tagline("doctor", "order_to_cash", "--env", "dev", "--json").stdout)
    states = {check["subject"]: check["state"] for check in told["checks"]}
    assert "failed" not in states.values()
    assert {states[name] for name in ("shop sign-in", "crm sign-in", "crm rights", "crm solution")} == {
        "good"
    }


def test_the_doctor_ends_1_where_something_failed_and_names_the_fix(tenant: Scratch) -> None:
    outsider = replace(tenant, environ={**tenant.environ, "TAGLINE_DEV_CRM_CLIENT_SECRET": "wrong"})
    told = outsider.tagline("doctor", "order_to_cash", "--env", "dev", expect=1).stdout
    assert "failed   crm" in told
    assert "sign-in-failed" in told
    assert "fix: " in told


def test_nothing_drifts_from_what_the_models_say(tenant: Scratch) -> None:
    told = json.loads(tenant.tagline("drift", "order_to_cash", "--env", "dev", "--json").stdout)
    assert "dataverse salesorder" in told["tables"]
    assert [f for f in told["findings"] if f["weight"] == "breaks"] == []


def test_the_sandbox_agrees_with_what_it_assumes(tenant: Scratch) -> None:
    found = json.loads(tenant.tagline("sandbox", "verify", "--env", "dev", "--json").stdout)
    assert {c["agreement"] for c in found} == {
        "agrees",
        "nothing to look at",
        "takes a write",
        "no question yet",
    }


def test_a_solution_is_imported_once_and_the_second_time_nothing_changes(tenant: Scratch) -> None:
    first, second = (tenant.tagline("solution", "import", "order_to_cash", "--env", "dev") for _ in range(2))
    assert "tagline_order_to_cash 1.0.0.0 is installed" in first.stdout
    assert "brought the role" in first.stderr
    assert "nothing has changed" in second.stdout
    assert "importing" not in second.stderr
    assert all("alternate keys are active" in done.stderr for done in (first, second))


def test_an_export_leaves_no_file_where_git_would_see_it(tenant: Scratch) -> None:
    told = tenant.tagline("solution", "export", "order_to_cash", "--managed")
    assert Path(told.stdout.strip()).read_bytes().startswith(b"PK")
    assert git.run(tenant.work, "status", "--porcelain") == ""


def test_one_of_the_other_kind_is_refused_with_what_to_do(tenant: Scratch) -> None:
    told = tenant.tagline(
        "solution", "import", "order_to_cash", "--env", "dev", "--unmanaged", expect=3
    ).stderr
    assert "(solution-kind-differs)" in told
    assert "hint: " in told
