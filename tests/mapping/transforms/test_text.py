"""Text is trimmed, joined and cut without surprises, and HTML made plain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.mapping.transforms import (
    addressee,
    blank_to_none,
    concat,
    cut,
    first_given,
    street_lines,
    strip_html,
    trim,
)


@given(st.text(), st.integers(min_value=0, max_value=20))
def test_a_cut_text_is_a_beginning_that_fits(text, limit):
    kept = cut(text, limit)
    assert text.startswith(kept)
    assert len(kept.encode("utf-16-le", "surrogatepass")) // 2 <= limit
    assert cut(kept, limit) == kept


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("abc", 3, "abc"),
        ("ab c", 3, "ab"),
        ("ab", 3, "ab"),
        ("😀😀", 3, "😀"),
        ("a ", 3, "a "),
        (None, 3, ""),
    ],
)
def test_only_what_does_not_fit_is_cut(text, limit, kept):
    assert cut(text, limit) == kept


def test_blank_parts_leave_no_separator_behind():
    assert concat(" Kim ", None, "", "  ", "Lee") == "Kim Lee"
    assert concat("a", "b", separator=", ") == "a, b"
    assert concat() == ""


@pytest.mark.parametrize(
    ("values", "first"), [((None, " ", "x", "y"), "x"), ((None, 0, 1), 0), ((None, ""), None), ((), None)]
)
def test_the_first_given_value(values, first):
    assert first_given(*values) == first


@pytest.mark.parametrize(("text", "kept"), [(" a ", "a"), (" ", None), ("", None), (None, None)])
def test_blank_becomes_none(text, kept):
    assert blank_to_none(text) == kept
    assert trim(text) == (kept or "")


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("Mug<br><b>Size:</b>&nbsp;L - $1.00<br/>Blue", "Mug, Size: L - $1.00, Blue"),
        ("<p>One</p><p> Two </p>", "One, Two"),
        ("Tom &amp; <i>Jer</i>ry", "Tom & Jerry"),
        ("1 &lt; 2 &lt;b&gt;", "1 < 2 <b>"),
        ("1 < 2", "1 < 2"),
        ("a<!-- b <br> -->c<script>alert('<br>')</script >d<style>p{}", "a c d"),
        ("<br><br>a<hr>", "a"),
        ("", ""),
        (None, ""),
    ],
)
def test_html_becomes_one_plain_line(html, plain):
    assert strip_html(html) == plain


@given(st.text(alphabet="ab <>/&;!-\n\"'br", max_size=60))
def test_any_html_becomes_one_line_without_breaks(html):
    plain = strip_html(html, separator=" | ")
    assert "\n" not in plain
    assert "<br>" not in plain
    assert plain == plain.strip()


@pytest.mark.parametrize(
    "piece", ["<", "<b", "<br ", "<!--", "<script>", "</script ", "&amp", "<script></script"]
)
def test_hostile_html_of_any_length_is_read_once(piece):
    """A reading that went back for every tag would not end."""
    assert len(strip_html(piece * 1_000_000)) <= 100_000


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        ("1 Road", "Flat 2", ("1 Road", "Flat 2")),
        ("", "Flat 2", ("Flat 2", None)),
        ("1 Road", " ", ("1 Road", None)),
        (" 1 Road ", "1 ROAD", ("1 Road", None)),
        (None, None, (None, None)),
    ],
)
def test_street_lines_have_no_gap(first, second, lines):
    assert street_lines(first, second) == lines


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("Acme", "Kim", "Lee"), "Acme"),
        ((" ", "Kim", "Lee"), "Kim Lee"),
        ((None, "", "Lee"), "Lee"),
        (("", "", ""), None),
    ],
)
def test_a_company_stands_before_a_person(parts, name):
    assert addressee(*parts) == name
