"""Cassettes are vcrpy files that replay strictly: what changed in a call is noticed and named."""

from pathlib import Path

import httpx
import pytest
import vcr
from hypothesis import given
from hypothesis import strategies as st

from tagline.errors import TaglineError, UsageError
from tagline.harness.canonical import call, canonical_json
from tagline.harness.cassettes import Cassette, Interaction, RecordingTransport, ReplayTransport, dump, load


def make_interaction(**changes: object) -> Interaction:
    values: dict[str, object] = {
        "method": "PATCH",
        "url": "https://crm.example/api/data/v9.2/salesorders(tl_orderkey='3dcart-1042')?$select=name&x=",
        "request_headers": {"Content-Type": "application/json", "If-Match": 'W/"7"'},
        "request_body": b'{"name": "A", "freightamount": 9.90, "tax": 1}',
        "status": 200,
        "reason": "OK",
        "response_headers": {"content-type": "application/json"},
        "response_body": b'{"salesorderid": "1"}',
    }
    return Interaction(**{**values, **changes})  # type: ignore[arg-type]


def send(transport: httpx.BaseTransport, interaction: Interaction) -> httpx.Response:
    with httpx.Client(transport=transport) as client:
        return client.request(
            interaction.method,
            interaction.url,
            headers=dict(interaction.request_headers),
            content=interaction.request_body,
        )


def test_a_recorded_call_is_answered_once() -> None:
    recorded = make_interaction()
    replay = ReplayTransport(Cassette((recorded,)))
    assert send(replay, recorded).json() == {"salesorderid": "1"}
    assert replay.unplayed() == []
    with pytest.raises(TaglineError) as caught:
        send(replay, recorded)
    assert caught.value.code == "cassette-unknown-call"
    assert "fewer times" in caught.value.message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"request_body": b'{"name": "A", "freightamount": 9.90}'}, "body field tax: no longer sent"),
        ({"request_body": b'{"name": "A", "freightamount": 9.9, "tax": 1}'}, "body field freightamount"),
        (
            {"request_body": b'{"name": "A", "freightamount": 9.90, "tax": true}'},
            "body field tax: another value",
        ),
        ({"request_headers": {"Content-Type": "application/json"}}, "header if-match: absent"),
        ({"url": make_interaction().url.removesuffix("&x=")}, "target"),
    ],
    ids=[
        "tax dropped",
        "number spelt otherwise",
        "true is not 1",
        "If-Match dropped",
        "blank parameter dropped",
    ],
)
def test_a_changed_call_is_refused_and_the_change_named(changes: dict[str, object], told: str) -> None:
    replay = ReplayTransport(Cassette((make_interaction(),)))
    with pytest.raises(TaglineError) as caught:
        send(replay, make_interaction(**changes))
    assert told in caught.value.message
    assert replay.unknown == [caught.value.message]
    assert len(replay.unplayed()) == 1


def batch(boundary: str, tax: str) -> tuple[dict[str, str], bytes]:
    body = (
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        "PATCH /api/data/v9.2/salesorderdetails(1) HTTP/1.1\r\nContent-Type: application/json\r\n"
        f'If-Match: W/"1"\r\n\r\n{{"tax": {tax}, "quantity": 2}}\r\n--{boundary}--\r\n'
    )
    return {"Content-Type": f"multipart/mixed; boundary={boundary}"}, body.encode()


def test_a_batch_is_compared_by_its_parts_and_not_by_its_boundary() -> None:
    def of(boundary: str, tax: str) -> object:
        return call("POST", "crm.example", "/api/data/v9.2/$batch", *batch(boundary, tax))

    assert of("batch_a", "1.10") == of("batch_b", "1.10")
    assert of("batch_a", "1.10") != of("batch_a", "1.11")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_canonical_json_does_not_depend_on_the_order_of_members(value: object) -> None:
    import json

    def turned(v: object) -> object:
        if isinstance(v, dict):
            return {k: turned(v[k]) for k in reversed(list(v))}
        return [turned(x) for x in v] if isinstance(v, list) else v

    assert canonical_json(json.dumps(value)) == canonical_json(json.dumps(turned(value)))


def test_a_cassette_survives_its_file_and_plain_vcrpy_replays_it(tmp_path: Path) -> None:
    recorded = make_interaction(method="GET", request_body=b"", request_headers={})
    path = tmp_path / "orders.yaml"
    path.write_text(dump(Cassette((recorded,), {"flow": "order_to_cash"})))
    assert load(path) == Cassette((recorded,), {"flow": "order_to_cash"})
    with vcr.use_cassette(str(path), record_mode="none"), httpx.Client() as client:
        assert client.get(recorded.url).json() == {"salesorderid": "1"}


@pytest.mark.parametrize(
    "text", ["", "version: 1\ninteractions: []\n", "- 1\n", "{", "a: !!python/object:os.system x"]
)
def test_what_is_no_cassette_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert caught.value.code == "cassette-unreadable"
    assert "broken.yaml" in caught.value.message


def test_recording_replaces_origins_and_hands_the_rewritten_answer_to_the_caller() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer real-token"
        return httpx.Response(
            200,
            headers={"OData-EntityId": "https://org.dynamics.test:8721/api/accounts(1)", "Set-Cookie": "a=b"},
            json={"emailaddress1": "jane@real.test", "at": "https://org.dynamics.test:8721/x"},
        )

    recording = RecordingTransport(
        httpx.MockTransport(answer),
        {"https://org.dynamics.test:8721": "https://crm.example"},
        lambda _origin, _kind, text: text.replace("jane@real.test", "abcd@example.com"),
    )
    with httpx.Client(transport=recording) as client:
        got = client.get("https://org.dynamics.test:8721/x", headers={"Authorization": "Bearer real-token"})
        client.get("https://login.test/token", headers={"Authorization": "Bearer real-token"})
    assert got.json() == {"emailaddress1": "abcd@example.com", "at": "https://org.dynamics.test:8721/x"}
    text = dump(Cassette(tuple(recording.interactions)))
    assert len(recording.interactions) == 1
    assert "crm.example" in text
    for leak in ("real-token", "jane@real.test", "dynamics.test", "a=b"):
        assert leak not in text
