"""Nonsense sent to the shop: whatever comes is answered, and never with an error of ours."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tagline.clock import SystemClock
from tagline.sandbox.main import stock
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.shop_resources import RESOURCES
from tagline.sandbox.values import Request

SANDBOX = Sandbox(SystemClock(), seed=7)
stock(SANDBOX, 3)
SHOP = SANDBOX.shops["dev"]
"""Shared by the examples: no request can break it for the next."""
KEYS = {
    "secureurl": SHOP.keys.secure_url,
    "privatekey": SHOP.keys.private_key,
    "token": SHOP.keys.token,
}
ORIGIN = "https://shop-dev.sandbox.test"
FIELDS = sorted(
    {name for each in RESOURCES.values() for name in each.shape.kinds}
    | {name for each in RESOURCES.values() for part in each.shape.parts.values() for name in part.kinds}
    | {"Id", "Name", "Url", "EventType", "Enabled", "Format"}
)
PARAMETERS = sorted(
    {each.parameter for resource in RESOURCES.values() for each in resource.filters}
    | {"limit", "offset", "countonly", "$select", "$orderby", "bypassorderprocessing"}
)
SEGMENTS = ("1001", "1", "150", "0", "abc", "9" * 30, "%ff", "%2F", "webhooks", "events", "skuinfo", "٣")
PARTS = sorted({name for each in RESOURCES.values() for name in each.parts})
TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
NUMBERS = st.sampled_from(["NaN", "1e400", "-0.0", "1e-400", "9" * 40, "1_0", "٣", "0x1", " 7 "])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | NUMBERS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS) | TEXT, inner, max_size=3)
    ),
    max_leaves=6,
)
BODIES = (
    st.binary(max_size=30)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5).map(lambda b: json.dumps([b]).encode())
)
PATHS = st.lists(
    st.sampled_from((*RESOURCES, "webhooks", "storesettings", *PARTS, *SEGMENTS)), min_size=1, max_size=4
).map("/".join)
QUERIES = st.dictionaries(
    st.sampled_from(PARAMETERS),
    TEXT.map(lambda t: t.encode("utf-8", "replace").hex(" ")) | NUMBERS,
    max_size=2,
).map(lambda q: "&".join(f"{name}={value}" for name, value in q.items()))
MEDIA = st.sampled_from(["application/json", "text/xml", "*/*", "", "text/csv", "application/xml;q=é"])


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]), PATHS, QUERIES, MEDIA, MEDIA, BODIES
)
def test_whatever_is_sent_is_answered(method, path, query, accept, content_type, body):
    headers = {**KEYS, "accept": accept, "content-type": content_type}
    answer = SHOP.handle(Request(method, f"{ORIGIN}/3dCartWebAPI/v2/{path}?{query}", headers, body))
    assert answer.status in (200, 201, 206, 400, 404, 405, 415)
    assert all(value.isprintable() for _, value in answer.headers)
    answer.body.decode()


@given(
    st.sampled_from(["authorize", "token"]),
    st.dictionaries(
        st.sampled_from(["client_id", "redirect_uri", "state", "response_type", "code", "grant_type"]), TEXT
    ),
    st.sampled_from(["https://[", "https://x/\r\ny: z", "https://ü/", "https://x/back?a=b", "https://"]),
)
def test_whatever_an_app_asks_for_is_answered(page, given_, target):
    """A redirect is never to something that is no address."""
    fields = {**given_, "client_id": SHOP.app.client_id, "redirect_uri": target}
    query = "&".join(
        f"{name}=" + "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "replace"))
        for name, text in fields.items()
    )
    answer = SHOP.handle(Request("GET" if page == "authorize" else "POST", f"{ORIGIN}/oauth/{page}?{query}"))
    assert answer.status in (302, 400, 401)
    assert answer.status != 302 or target == "https://x/back?a=b"
