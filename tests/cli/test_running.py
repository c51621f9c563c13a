"""Looking in shadow and recording from the command line."""

import json

from tests.cli.telling import NAME, Story

# -- shadow ----------------------------------------------------------------------------------------


def test_shadow_tells_what_would_be_written_and_ends_with_0(story: Story) -> None:
    done = story.tagline("shadow", NAME, "--env", "dev", "--last", "30")
    assert (done.code, done.err) == (0, "")
    assert "the source says 111.53, the target will compute 111.53" in done.out
    assert "dead letter: unknown-sku" in done.out
    assert done.out.splitlines()[-1] == "nothing was written"
    assert all(not o["ExternalComments"] for o in story.made.sandbox.shops["dev"].orders.values())


def test_shadow_as_json_is_one_document_and_ends_with_4_where_that_is_asked(story: Story) -> None:
    done = story.tagline("shadow", NAME, "--env", "dev", "--last", "30", "--json", "--exit-code")
    assert done.code == 4
    refused = {r["dead_letter"]["code"] for r in done.json if r["dead_letter"]}
    assert refused == {"unknown-sku", "order-total-differs", "status-unmapped", "record-malformed"}
    assert all(r["source_total"] == r["target_total"] for r in done.json)


def test_shadow_of_named_records_looks_at_those_alone(story: Story) -> None:
    keys = [str(k) for k in list(story.made.sandbox.shops["dev"].orders)[:2]]
    done = story.tagline("shadow", NAME, "--env", "dev", "--key", keys[1], "--key", keys[0], "--json")
    assert [r["key"] for r in done.json] == [keys[1], keys[0]]


def test_shadow_of_a_record_that_is_not_there_fails_by_its_name(story: Story) -> None:
    done = story.tagline("shadow", NAME, "--env", "dev", "--key", "999999", "--exit-code")
    assert done.code == 1
    assert "record-gone" in done.out
    assert "not there: 999999 (record-gone)" in done.err


def test_shadow_of_no_record_is_wrong_use(story: Story) -> None:
    done = story.tagline("shadow", NAME, "--env", "dev", "--last", "0")
    assert (done.code, done.out) == (2, "")


# -- record ----------------------------------------------------------------------------------------


def test_recording_where_policy_forbids_it_is_refused_with_3(story: Story) -> None:
    done = story.tagline("record", NAME, "--env", "prod")
    assert (done.code, done.out) == (3, "")
    assert "(recording-not-allowed)" in done.err
    assert "such as --env dev" in done.err
    assert "running live" not in done.err


def test_a_recording_in_the_sandbox_says_what_it_made(story: Story) -> None:
    done = story.tagline("record", NAME, "--env", "dev", "--sandbox", "--key", "1001", "--scenario", "one")
    made = [
        story.made.work / "fixtures" / NAME / place for place in ("cassettes/one.yaml", "corpus/one.json")
    ]
    try:
        assert done.code == 0
        assert done.out.splitlines()[0] == "  1001: done"
        assert "-> fixtures/order_to_cash/cassettes/one.yaml" in done.out
        assert "scrub proved" in done.err
        assert json.loads(made[1].read_text())["records"][0]["key"] == "1001"
    finally:
        for path in made:
            path.unlink(missing_ok=True)
