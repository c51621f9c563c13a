"""
Card data, payment tokens, passwords and credentials never reach a disk, e-mail addresses none that is not encrypted: every
byte that is left behind is searched.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import sqlalchemy as sa
from tests.e2e.ground import await_orders, ground, release, select, start_agent, store, wait_until

from tagline.alm.git import Repository
from tagline.domain.scrub import SECRET_FIELDS
from tagline.harness.scratch import Scratch
from tagline.mapping.transforms import safe_key
from tagline.runtime.key_ring import Key
from tagline.runtime.tables import effects
from tagline.sandbox.shop import Shop

CARD = "4929123456781234"
SPELLED = {
    "CardNumber": CARD,
    "CardVerification": "cvc-7f3a91c2",
    "PaymentTokenID": 918273645546,
    "PaymentToken": "tok-55aa1e90",
    "Password": "hash-c0ffee77",
}
"""As the shop spells them; the other fields of the list get a value by their name."""
GUEST = "hopper.canary@planted.example"
"""Kept in Dataverse and in encrypted images; nowhere else."""


def planted() -> dict[str, Any]:
    """A value for every field that must never be kept, unlike anything else in this test."""
    spelled = {name.lower() for name in SPELLED}
    return {**SPELLED, **{name: f"planted-{name}" for name in SECRET_FIELDS - spelled}}


def place_with_secrets(shop: Shop, count: int, **also: Any) -> list[int]:
    """Orders that carry them at every level, in the shop's answers and in the webhooks about them."""
    with shop.door.lock:
        ids = shop.place_orders(count, 1)
        for order_id in ids:
            order = shop.orders[order_id]
            # Existing fields keep their spelling and their place.
            secrets = {
                next((k for k in order if k.lower() == name.lower()), name): v
                for name, v in planted().items()
            }
            lists = {
                name: [{**each, **planted()} for each in order[name]]
                for name in ("ShipmentList", "TransactionList", "OrderItemList")
            }
            shop.orders[order_id] = {**order, **secrets, **lists, **also}
        for order_id in ids:
            shop.change_status(order_id, 2)
    return ids


def test_no_secret_is_left_on_any_disk(tmp_path: Path):
    with ground(tmp_path) as made:
        release(made)
        start_agent(made)
        made.tagline("deploy", "order_to_cash/v1.0.0", "--env", "dev")
        shop = made.sandbox.shops["dev"]
        good = [
            *place_with_secrets(shop, 8),
            *place_with_secrets(shop, 2, CustomerID=0, BillingEmail=GUEST),
        ]
        place_with_secrets(shop, 1, OrderAmount="n/a")
        hook = next(iter(shop.webhooks.registered.values()))
        unreadable = json.dumps([planted()])[:-3].encode()
        assert httpx.post(hook["Url"], content=unreadable, trust_env=False).status_code == 202
        await_orders(made, good)
        with store(made) as opened:
            wait_until(lambda: len(opened.dead_letters.list()) == 2, "two letters")
        made.kill_agent("dev")  # as it stands in the middle of work: nothing is tidied up on the way out
        searched = dict(everything_left(made))
        credentials = {v for k, v in made.environ.items() if k.startswith("TAGLINE_DEV_")}

    assert_searchable(searched, str(good[0]))
    needles = {form for secret in (*planted().values(), *credentials) for form in forms(str(secret))}
    found = {
        (place, needle) for place, content in searched.items() for needle in needles if needle in content
    }
    assert not found
    for kept in ("agent-dev", ".tagline/"):
        places = [name for name in searched if kept in name]
        assert places
        assert not [n for n in places for form in guest_forms() if form in searched[n].lower()]
    assert any(GUEST.encode() in searched[name] for name in searched if name.startswith("image after"))


def guest_forms() -> set[bytes]:
    """The e-mail address as it stands, in an address, in a key, and what of each shows inside Base64."""
    texts = (GUEST, quote(GUEST, safe=""), safe_key(GUEST))
    return {form.lower() for text in texts for form in forms(text)}


def everything_left(made: Scratch) -> Iterator[tuple[str, bytes]]:
    """Every file of the scratch copy, every object of both repositories unpacked, every image decrypted."""
    for path in made.folder.rglob("*"):
        # `env.sh` is the caller's own shell, written down: credentials stand there on purpose.
        if path.is_file() and path != made.folder / "env.sh":
            yield str(path.relative_to(made.folder)), path.read_bytes()
    for place in (made.work, made.folder / "hub.git"):
        yield (
            f"objects of {place.name}",
            Repository.open(place).run("cat-file", "--batch-all-objects", "--batch"),
        )
    opener = Key(made.environ["TAGLINE_DEV_STATE_KEY"])
    with store(made) as opened:
        for row in select(opened, sa.select(effects.c.id, effects.c.before, effects.c.after)):
            for name in ("before", "after"):
                if row[name] is not None:
                    yield f"image {name} of effect {row['id']}", opener.unseal(row[name])


def assert_searchable(searched: Mapping[str, bytes], key: str) -> None:
    """What has to be there is found where it has to be."""
    assert any(
        b"order_to_cash-000001: verified" in searched[name] for name in searched if "agent-dev" in name
    )
    assert any(key.encode() in searched[name] for name in searched if "state.sqlite" in name)
    assert any("engine/" in name for name in searched)
    assert b"deploy order_to_cash 1.0.0 to dev" in searched["objects of hub.git"]
    assert any(b"emailaddress1" in searched[name] for name in searched if name.startswith("image after"))


def forms(secret: str) -> Iterator[bytes]:
    """The secret as it stands, and what of it shows inside Base64 wherever it begins."""
    yield secret.encode()
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + secret.encode())
        # The first group holds bits of what stands before, the last one of what follows.
        yield encoded[4 * bool(before) : len(encoded) // 4 * 4 - 4]
