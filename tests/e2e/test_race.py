"""Two operators decide at once: one wins, the other is told who won, and the history stays one line."""

import json
import subprocess
import sys
from pathlib import Path

from tests.e2e.ground import clone, ground, release, start_agent

from tagline.alm import git
from tagline.harness.scratch import Scratch

MEET = """#!/bin/sh
# Let nobody decide about qa before both are about to: the worst case, and the same one in every run.
[ "$1" = refs/heads/env/qa ] || exit 0
touch "{folder}/$3"
looks=0
until [ "$(ls "{folder}" | wc -l)" -ge 2 ] || [ $looks -ge 300 ]; do
    sleep 0.1
    looks=$((looks + 1))
done
"""


def promote(operator: Scratch) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tagline", "promote", "order_to_cash"]
    return subprocess.Popen(
        [*command, "--from", "dev", "--to", "qa", "--timeout", "0"],
        cwd=operator.work,
        env=dict(operator.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_operators_who_promote_at_once_one_wins_and_the_other_is_told_who(tmp_path: Path):
    with ground(tmp_path, "dev", "qa") as made:
        release(made)
        start_agent(made)
        made.tagline("deploy", "order_to_cash/v1.0.0", "--env", "dev")
        operators = [clone(made, name) for name in ("ada", "grace")]
        meeting = tmp_path / "meeting"
        meeting.mkdir()
        hook = tmp_path / "hub.git" / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(MEET.format(folder=meeting))
        hook.chmod(0o755)

        running = [promote(operator) for operator in operators]
        told = {
            operator.folder.name: process.communicate()
            for operator, process in zip(operators, running, strict=True)
        }
        ended = {
            operator.folder.name: process.returncode
            for operator, process in zip(operators, running, strict=True)
        }
        assert len(list(meeting.iterdir())) == 2
        assert sorted(ended.values()) == [0, 6], told
        winner, loser = sorted(ended, key=ended.__getitem__)
        assert "order_to_cash-000001" in told[winner][0]
        said = told[loser][1]
        assert "(plan-stale)" in said
        assert f"{winner} <{winner}@example.com> was first with: " in said
        assert "hint: " in said
        assert told[loser][0].count("order_to_cash-000001") == 0

        (decision,) = json.loads(made.tagline("history", "--env", "qa", "--json").stdout)
        assert decision["by"] == f"{winner} <{winner}@example.com>"
        assert git.run(tmp_path / "hub.git", "rev-list", "--count", "env/qa") == "1"
        for operator in operators:
            again = operator.tagline(
                "promote", "order_to_cash", "--from", "dev", "--to", "qa", "--timeout", "0"
            )
            assert "nothing to do" in again.stderr
        assert git.run(tmp_path / "hub.git", "rev-list", "--count", "env/qa") == "1"
