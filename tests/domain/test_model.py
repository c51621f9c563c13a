"""Columns of a model are worked out once, and nobody can change them for the others."""

from typing import Any, ClassVar, cast

import pytest

from tagline.domain.model import Model, Remote, column, columns


class Box(Model):
    remote: ClassVar[Remote] = Remote("store", "box", "boxes", "boxid")

    boxid: str | None = column()
    label: str | None = column(max_length=7, personal=True)


def test_the_same_columns_are_given_to_everybody_who_asks():
    assert columns(Box) is columns(Box)
    assert columns(Box)["label"].max_length == 7


def test_nobody_changes_a_models_columns_for_the_others():
    with pytest.raises(TypeError):
        cast("Any", columns(Box))["label"] = columns(Box)["boxid"]
