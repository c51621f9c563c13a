"""The door to git: commits beside the working copy, and branches that only move from where one saw them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagline.alm.git import Repository
from tagline.alm.objects import Tree
from tagline.errors import NotAuthorisedError, RefusedError, TryAgainError, UsageError

from .conftest import ANN, BOB, NOW, World, git


def _commit(repo: Repository, branch: str, content: bytes, *, by: str = ANN) -> tuple[str, str | None]:
    head = repo.head(branch)
    return repo.commit(head, {"a/file": content}, message=f"write {content.decode()}", by=by, at=NOW), head


def test_a_commit_changes_only_the_named_paths_and_no_working_copy(world: World) -> None:
    repo = world.ann
    head = repo.main()
    before = git(repo.root, "status", "--porcelain=v2", "--branch"), git(repo.root, "ls-files", "--stage")
    tree = repo.tree_id(head, "environments")
    assert tree is not None
    made = repo.commit(
        head,
        {"new/deep/file": b"x", "environments/qa.toml": None, "copy": Tree(tree)},
        message="m",
        by=ANN,
        at=NOW,
    )
    assert git(repo.root, "diff", "--name-status", "--no-renames", head, made).split("\n") == [
        "A\tcopy/base.toml",
        "A\tcopy/dev.toml",
        "A\tcopy/prod.toml",
        "A\tcopy/qa.toml",
        "D\tenvironments/qa.toml",
        "A\tnew/deep/file",
    ]
    after = git(repo.root, "status", "--porcelain=v2", "--branch"), git(repo.root, "ls-files", "--stage")
    assert after == before


def test_a_folder_that_loses_its_last_file_is_gone(world: World) -> None:
    repo = world.ann
    first = repo.commit(None, {"a/b": b"1", "c": b"2"}, message="m", by=ANN, at=NOW)
    second = repo.commit(first, {"a/b": None}, message="m", by=ANN, at=NOW)
    assert [e.path for e in repo.entries(second)] == ["c"]


def test_of_two_appends_one_wins_and_the_other_is_told_who(world: World) -> None:
    ann, bob = world.ann, world.bob
    ours, expected = _commit(ann, "env/dev", b"ann")
    theirs, _ = _commit(bob, "env/dev", b"bob", by=BOB)
    bob.append("env/dev", theirs, expected=None)
    with pytest.raises(TryAgainError, match=r"Bob <bob@example.com> was first with: write bob") as error:
        ann.append("env/dev", ours, expected=expected)
    assert error.value.code == "branch-moved"
    assert ann.head("env/dev") == theirs


def test_without_a_remote_the_local_branch_is_compared_and_swapped(lone: Repository) -> None:
    ours, expected = _commit(lone, "env/dev", b"one")
    theirs, _ = _commit(lone, "env/dev", b"two", by=BOB)
    lone.append("env/dev", theirs, expected=expected)
    with pytest.raises(TryAgainError, match="Bob") as error:
        lone.append("env/dev", ours, expected=expected)
    assert (error.value.code, lone.head("env/dev")) == ("branch-moved", theirs)


@pytest.mark.parametrize("where", ["remote", "local"])
def test_a_branch_named_env_in_the_way_is_refused_by_name(world: World, where: str) -> None:
    repo = world.ann
    if where == "remote":
        git(repo.root, "push", "--quiet", "origin", "main:env")
        repo.refresh()
    else:
        git(repo.root, "remote", "remove", "origin")
        git(repo.root, "branch", "env")
        repo = Repository.open(repo.root)
    with pytest.raises(RefusedError, match="a branch named env is in the way of env/dev") as error:
        repo.head("env/dev")
    assert error.value.code == "branch-in-the-way"
    assert "git branch -m env env-work" in error.value.hint


def test_a_branch_in_the_way_that_appears_later_is_named_when_the_push_fails(world: World) -> None:
    ours, expected = _commit(world.ann, "env/dev", b"one")
    git(world.root / "bob", "push", "--quiet", "origin", "main:env")
    with pytest.raises(RefusedError) as error:
        world.ann.append("env/dev", ours, expected=expected)
    assert error.value.code == "branch-in-the-way"


def test_a_branch_below_evidence_is_in_the_way_of_evidence(world: World) -> None:
    git(world.root / "bob", "push", "--quiet", "origin", "main:evidence/mine")
    world.ann.refresh()
    with pytest.raises(RefusedError, match="evidence/mine"):
        world.ann.head("evidence")


def test_an_unreachable_remote_is_worth_another_try_and_shows_no_credentials(world: World) -> None:
    git(world.root / "ann", "remote", "set-url", "origin", "https://me:hunter2@localhost:1/hub.git")
    with pytest.raises(TryAgainError) as error:
        world.ann.refresh()
    assert error.value.code == "remote-unreachable"
    assert "hunter2" not in str(error.value)


def test_a_hub_that_declines_leaves_nothing_half_done(world: World) -> None:
    hook = world.hub / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    before = world.hub_refs(), git(world.root / "ann", "for-each-ref")
    ours, expected = _commit(world.ann, "env/dev", b"one")
    with pytest.raises(NotAuthorisedError) as error:
        world.ann.append("env/dev", ours, expected=expected)
    assert error.value.code == "remote-denied"
    assert (world.hub_refs(), git(world.root / "ann", "for-each-ref")) == before
    assert list((world.root / "ann" / ".git").rglob("*.lock")) == []


def test_files_that_do_not_depend_on_each_other_are_added_over_other_peoples(world: World) -> None:
    for repo, name in ((world.ann, "ann"), (world.bob, "bob")):
        # Each starts from what it saw last; bob has not seen ann's.
        repo.add("evidence", {f"{name}.json": b"{}"}, message=name, by=ANN, at=NOW)
    world.ann.refresh()
    head = world.ann.head("evidence")
    assert head is not None
    assert sorted(world.ann.files(head)) == ["ann.json", "bob.json"]


def test_what_many_add_in_the_same_moment_is_all_there(world: World) -> None:
    repos = [world.ann, world.ann, world.bob, world.bob]

    def add(n: int) -> None:
        repos[n].add("evidence", {f"{n}.json": b"{}"}, message=f"{n}", by=ANN, at=NOW)

    with ThreadPoolExecutor(len(repos)) as pool:
        list(pool.map(add, range(len(repos))))
    world.ann.refresh()
    head = world.ann.head("evidence")
    assert head is not None
    assert len(world.ann.files(head)) == len(repos)


def test_a_depth_one_clone_reads_and_appends(world: World, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{world.hub}", "shallow")
    repo = Repository.open(tmp_path / "shallow")
    repo.add("evidence", {"x": b"1"}, message="m", by=ANN, at=NOW)
    assert "refs/heads/evidence" in world.hub_refs()


def test_a_tree_with_a_link_is_not_written_out(world: World, tmp_path: Path) -> None:
    (world.root / "ann" / "integrations" / "orders" / "link").symlink_to("/etc/passwd")
    git(world.root / "ann", "add", ".")
    git(world.root / "ann", "commit", "--quiet", "-m", "link")
    with pytest.raises(RefusedError) as error:
        world.ann.write_out("HEAD:integrations/orders", tmp_path / "out")
    assert error.value.code == "tree-unsafe"
    assert not (tmp_path / "out").exists()


def test_outside_a_repository_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        Repository.open(tmp_path)
    assert error.value.code == "repository-missing"


def test_whoever_works_here_is_known_from_git(world: World) -> None:
    assert world.bob.identity() == BOB
