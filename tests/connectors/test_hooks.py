"""The tokens behind `webhook_token`: one, or two while one takes the other's place."""

import pytest

from tagline.connectors.hooks import name_of, webhook_token, webhook_tokens
from tagline.errors import UsageError

NEW, OLD = "n3w-token-of-the-shop", "0ld-token-of-the-shop"


def tokens(text):
    return webhook_tokens("shop", "env:HOOK", lambda reference: text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NEW, (NEW,)),
        (f"{NEW}\n{OLD}", (NEW, OLD)),
        (f"\n  {NEW}  \r\n\n{OLD}\n", (NEW, OLD)),
        (f"{NEW}\n{NEW}", (NEW,)),
    ],
    ids=["one", "two", "blanks", "twice"],
)
def test_lines_are_tokens_the_newest_first(text, expected):
    assert tokens(text) == expected


def test_new_webhooks_are_registered_with_the_first():
    assert webhook_token("shop", "env:HOOK", lambda reference: f"{NEW}\n{OLD}") == NEW


@pytest.mark.parametrize("weak", ["tiny", "with space in the middle", "with/slash/in-the-middle", ""])
def test_a_weak_token_is_refused_on_either_line_and_not_told(weak):
    for text, line in [(weak, ""), (f"{NEW}\n{weak}", "line 2"), (f"{weak}\n{NEW}", "line 1")]:
        if not weak and text.strip():
            continue
        with pytest.raises(UsageError) as caught:
            tokens(text)
        assert caught.value.code == "webhook-token-weak"
        assert line in caught.value.message
        assert not weak or weak not in str(caught.value)


def test_three_are_too_many():
    with pytest.raises(UsageError) as caught:
        tokens(f"{NEW}\n{OLD}\nthird-token-of-the-shop")
    assert caught.value.code == "webhook-tokens-many"
    assert "third" not in str(caught.value)


def test_a_name_tells_tokens_apart_and_neither_of_them():
    assert name_of(NEW) == name_of(NEW) != name_of(OLD)
    assert NEW not in name_of(NEW)
