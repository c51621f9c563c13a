"""A release is a name for content: made once, found again only while it is what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagline.alm import closure, releases, tags
from tagline.alm.git import Repository
from tagline.errors import RefusedError, TryAgainError, UsageError

from .conftest import ANN, BOB, NOW, World, git, integration_files, write

TAG = "orders/v1.0.0"


def test_a_release_is_an_annotated_tag_on_the_hub_that_records_its_closure(world: World) -> None:
    made = world.release()
    assert made.tag == TAG
    assert f"refs/tags/{TAG} {made.tag_object}" in world.hub_refs()
    assert f"Closure: {made.closure}" in git(world.hub, "cat-file", "tag", TAG)
    assert releases.find(world.bob, TAG) == made


def test_releasing_the_same_again_is_no_error_and_makes_nothing(world: World) -> None:
    assert world.release() == releases.release(world.bob, "orders", by=BOB, at=NOW)


def test_the_closure_is_the_content_and_not_the_commit(world: World) -> None:
    first = closure.of(world.ann, world.ann.main(), "orders")
    world.commit({"README.md": "elsewhere"})
    second = closure.of(world.ann, world.ann.main(), "orders")
    assert (first.digest, first.commit == second.commit) == (second.digest, False)
    world.commit({"integrations/orders/README.md": "inside"})
    assert closure.of(world.ann, world.ann.main(), "orders").digest != first.digest


def test_a_library_is_part_of_the_closure(world: World) -> None:
    project = integration_files("1.0.0")["integrations/orders/pyproject.toml"]
    library = project.replace('name = "orders"', 'name = "shared"').replace("= []", '= ["attrs"]')
    world.commit(
        {
            "integrations/orders/pyproject.toml": project + 'libraries = ["shared"]\n',
            "integrations/shared/pyproject.toml": library,
            "integrations/shared/shared/__init__.py": "",
        }
    )
    first = closure.of(world.ann, world.ann.main(), "orders")
    assert (list(first.libraries), first.dependencies) == (["shared"], ("attrs",))
    world.commit({"integrations/shared/shared/__init__.py": "X = 1\n"})
    assert closure.of(world.ann, world.ann.main(), "orders").digest != first.digest


def test_a_depth_one_clone_finds_the_same_closure(world: World, tmp_path: Path) -> None:
    world.commit({"README.md": "second commit"})
    made = world.release()
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{world.hub}", "shallow")
    assert releases.find(Repository.open(tmp_path / "shallow"), TAG) == made


@pytest.mark.parametrize(
    ("file", "staged"),
    [("orders/flows.py", False), ("orders/new.py", False), ("orders/flows.py", True)],
    ids=["changed", "untracked", "staged"],
)
def test_what_is_not_committed_is_not_released(world: World, file: str, staged: bool) -> None:
    write(world.root / "ann", {f"integrations/orders/{file}": "# other\n"})
    if staged:
        git(world.root / "ann", "add", ".")
    with pytest.raises(RefusedError) as error:
        world.release()
    assert error.value.code == "uncommitted-changes"


def test_the_change_log_opens_with_the_version(world: World) -> None:
    files = integration_files("1.1.0")
    del files["integrations/orders/CHANGELOG.md"]
    world.commit(files)
    with pytest.raises(RefusedError, match=r"opens with 1\.0\.0, the version is 1\.1\.0") as error:
        world.release()
    assert error.value.code == "changelog-missing"


def test_one_name_is_not_given_to_other_content(world: World) -> None:
    world.release()
    with pytest.raises(RefusedError) as error:
        world.release(files={"integrations/orders/orders/settings.py": "# other\n"})
    assert error.value.code == "tag-exists"


def test_a_tag_that_was_moved_on_the_hub_is_refused_with_both_objects(world: World) -> None:
    made = world.release()
    releases.find(world.bob, TAG)
    world.commit({"integrations/orders/README.md": "other"})
    git(world.root / "ann", "tag", "--force", "-a", "-m", "moved", TAG)
    git(world.root / "ann", "push", "--quiet", "--force", "origin", TAG)
    moved = git(world.root / "ann", "rev-parse", TAG)
    with pytest.raises(RefusedError) as error:
        releases.find(world.bob, TAG)
    assert error.value.code == "tag-moved"
    assert made.tag_object in error.value.message
    assert moved in error.value.message


def test_a_tag_whose_record_is_about_other_content_is_refused(world: World) -> None:
    made = world.release()
    message = git(world.root / "ann", "tag", "-l", "--format=%(contents)", TAG)
    world.commit({"integrations/orders/README.md": "other"})
    git(world.root / "ann", "tag", "--force", "-a", "-m", message, TAG)
    git(world.root / "ann", "push", "--quiet", "--force", "origin", TAG)
    with pytest.raises(RefusedError, match=made.closure.removeprefix("sha256:")[:12]) as error:
        releases.find(world.ann, TAG)
    assert error.value.code == "tag-moved"


def test_a_tag_that_was_made_again_after_a_deployment_is_refused(world: World) -> None:
    """The new tag is about the same content and agrees everywhere; only the decision remembers the old one."""
    made = world.released()
    world.deploy(made)
    git(world.root / "ann", "tag", "-d", TAG)
    git(world.root / "ann", "push", "--quiet", "origin", f":refs/tags/{TAG}")
    again = releases.release(world.ann, "orders", by=BOB, at=NOW)
    with pytest.raises(RefusedError, match="as dev deployed it") as error:
        releases.find(world.ann, TAG)
    assert error.value.where == {"release": TAG, "recorded": made.tag_object, "found": again.tag_object}


def test_an_unreachable_hub_leaves_no_tag_behind(world: World) -> None:
    git(world.root / "ann", "remote", "set-url", "origin", "../gone.git")
    with pytest.raises(TryAgainError) as error:
        releases.release(world.ann, "orders", by=ANN, at=NOW)
    assert error.value.code == "remote-unreachable"
    assert tags.names(world.ann) == ()


def test_a_hub_that_declines_tags_leaves_none_behind(world: World) -> None:
    hook = world.hub / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Exception, match="refused"):
        world.release()
    assert tags.names(world.ann) == ()


@pytest.mark.parametrize(
    ("tag", "code"), [("orders-1.0.0", "release-name"), ("orders/v1.0.1", "release-unknown")]
)
def test_a_wrong_name_is_answered_with_the_right_form_or_the_nearest_release(
    world: World, tag: str, code: str
) -> None:
    world.release()
    with pytest.raises(UsageError) as error:
        releases.find(world.ann, tag)
    assert error.value.code == code
    assert TAG in error.value.hint or "v1.0.0" in error.value.hint


def test_a_release_that_is_not_on_main_is_told_of(world: World) -> None:
    git(world.root / "ann", "checkout", "--quiet", "-b", "work")
    write(world.root / "ann", integration_files("1.1.0"))
    git(world.root / "ann", "commit", "--quiet", "-am", "work")
    made = releases.release(world.ann, "orders", by=ANN, at=NOW)
    assert "is not on main" in releases.warnings(world.ann, made)[0]


def test_an_integration_that_does_not_exist_is_answered_with_those_that_do(world: World) -> None:
    with pytest.raises(UsageError) as error:
        releases.release(world.ann, "oders", by=ANN, at=NOW)
    assert (error.value.code, "orders" in error.value.hint) == ("integration-unknown", True)


def test_without_a_remote_releases_live_here(lone: Repository) -> None:
    made = releases.release(lone, "orders", by=ANN, at=NOW)
    assert releases.find(lone, TAG) == made
