"""No secret, card, token or address gets through, however it is written down; what is none of these does."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.domain.redaction import MASK, Redactor, is_card_number

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "quoted": lambda text: quote(text, safe=""),
    "quoted lower": lambda text: (
        quote(text, safe="").lower() if quote(text, safe="") == text else quote(text)
    ),
    "form": quote_plus,
    "json": json.dumps,
    "json in json": lambda text: json.dumps({"body": text}),
    "repr": repr,
    "bytes": lambda text: repr(text.encode()),
    "html": html.escape,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "basic": lambda text: "Basic " + base64.b64encode(f"user:{text}".encode()).decode(),
    "basic 2": lambda text: base64.b64encode(f"us:{text}\n".encode()).decode(),
    "url": lambda text: f"https://x:{quote(text, safe='')}@host/path",
    "assignment": lambda text: f"password={text}",
}
secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40)
around = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@pytest.mark.parametrize("encoding", list(ENCODINGS), ids=str)
@settings(max_examples=30)
@given(secrets, around, around)
def test_a_known_secret_is_masked_in_every_form(encoding: str, secret: str, before: str, after: str):
    told = f"{before} {ENCODINGS[encoding](secret)} {after}"
    clean = Redactor([secret])(told)
    assert ENCODINGS[encoding](secret).strip("'\"") not in clean
    assert secret not in clean


@st.composite
def cards(draw: st.DrawFn) -> str:
    start = draw(st.sampled_from(["4", "51", "2221", "34", "6011", "3566"]))
    digits = start + "".join(
        map(str, draw(st.lists(st.integers(0, 9), min_size=15 - len(start), max_size=15 - len(start))))
    )
    return next(digits + check for check in "0123456789" if is_card_number(digits + check))


@given(cards(), st.sampled_from(["", " ", "-", ".", "%20", "+"]), around)
def test_a_card_number_is_masked_however_it_is_spaced(card: str, between: str, before: str):
    written = between.join(card[n : n + 4] for n in range(0, 16, 4))
    assert written not in Redactor()(f"{before}: {written}, declined")


@given(
    st.from_regex(r"[a-z][a-z0-9._+-]{0,20}", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9-]{0,15}\.(com|co\.uk|example)", fullmatch=True),
    st.sampled_from(["@", "%40", "\\u0040", "&#64;"]),
)
def test_a_mail_address_is_masked_in_every_form(name: str, domain: str, at: str):
    clean = Redactor()(f'customer "{name}{at}{domain}" was not found')
    assert domain not in clean
    assert clean.endswith("was not found")


@settings(max_examples=40)
@given(st.from_regex(r"[A-Za-z0-9_-]{20,60}", fullmatch=True))
def test_tokens_are_masked_by_their_look(token: str):
    redact = Redactor()
    for told in (
        f"Authorization: Bearer {token}",
        f"'authorization': 'bearer {token}'",
        f"eyJ{token}.eyJ{token}.{token}",
        f'{{"access_token": "{token}"}}',
        f"https://host/hook?api_key={token}&x=1",
        f"client_secret%3D{token}",
    ):
        assert token not in redact(told)


@pytest.mark.parametrize(
    "line",
    [
        "order_to_cash-000012: activated",
        "order_to_cash-000012: done 12, dead 1",
        "shop is away since 2026-11-25 09:41Z (remote-unreachable); what needs it waits",
        "deploy order_to_cash/v1.0.0 (82f903711e6a) in dev",
        "agent vm of dev: webhooks at http://127.0.0.1:41057, state in .tagline/dev; Ctrl-C ends it",
        "1234567890123456 is no card number",
        "there is no secret at env:TAGLINE_DEV_KEY (secret-missing)",
    ],
    ids=lambda line: line[:24],
)
def test_a_line_without_anything_to_hide_stays_as_it_is(line: str):
    assert Redactor(["a-secret-of-ours"])(line) == line


def test_what_is_masked_twice_stays_masked():
    redact = Redactor(["s3cr3t-of-ours"])
    once = redact("token=s3cr3t-of-ours for a@b.example")
    assert redact(once) == once
    assert MASK in once
