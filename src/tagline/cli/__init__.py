"""The command line: one small function a command. Modules of commands are imported only when they are called."""

from __future__ import annotations

import difflib
import importlib
import sys
from typing import Any, Final

import click

from tagline.cli.output import print_error
from tagline.errors import TaglineError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "check": ("tagline.cli.verifying:check", "Run the gate on an integration and record the evidence."),
    "record": (
        "tagline.cli.verifying:record",
        "Record a cassette and a corpus from an environment, scrubbed.",
    ),
    "release": ("tagline.cli.lifecycle:release", "Tag the committed integration as a release."),
    "plan": ("tagline.cli.lifecycle:plan", "Show what a deployment would change, and change nothing."),
    "deploy": ("tagline.cli.lifecycle:deploy", "Decide that a release runs in an environment."),
    "promote": (
        "tagline.cli.lifecycle:promote",
        "Decide that what is verified in one environment runs in the next.",
    ),
    "rollback": (
        "tagline.cli.lifecycle:rollback",
        "Decide that the prior deployment runs again, and hold this one.",
    ),
    "status": ("tagline.cli.lifecycle:status", "Show what each environment should run and what it runs."),
    "history": ("tagline.cli.lifecycle:history", "Show the decisions about an environment."),
    "run": ("tagline.cli.running:run", "Run the agent of an environment: webhooks, sweeps, workers."),
    "backfill": (
        "tagline.cli.backfill:backfill",
        "Have records that a source holds already run, behind all live work.",
    ),
    "shadow": ("tagline.cli.running:shadow", "Show what would be written for real records; writes nothing."),
    "dead-letters": (
        "tagline.cli.dead_letters:dead_letters",
        "Tend to records that were set aside: look, assign, send again, discard.",
    ),
    "trace": (
        "tagline.cli.trace:trace",
        "Show everything that happened to one record, by any of its keys.",
    ),
    "alerts": ("tagline.cli.alerting:alerts", "Show the alerts of an environment, or try its channels."),
    "keys": ("tagline.cli.keys:keys", "Make, show, rotate and retire the keys of an environment's state."),
    "privacy": ("tagline.cli.privacy:privacy", "Give out or erase what is stored about a data subject."),
    "retention": ("tagline.cli.privacy:retention", "Delete what is older than an environment keeps it."),
    "doctor": (
        "tagline.cli.tenant:doctor",
        "Ask whether an environment's systems are ready for an integration; reads only.",
    ),
    "drift": (
        "tagline.cli.tenant:drift",
        "Compare an environment's tables with the models and mappings; reads only.",
    ),
    "solution": (
        "tagline.cli.tenant:solution",
        "Make the Dataverse solution that an integration needs.",
    ),
    "sandbox": ("tagline.cli.sandboxing:sandbox", "Serve local 3dcart stores and Dataverse organisations."),
    "demo": (
        "tagline.cli.sandboxing:demo",
        "Tell the whole story in a scratch copy, from pull request to rollback.",
    ),
}
"""Name -> where the command stands and its help, so that `--help` imports none of them."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            near = difflib.get_close_matches(cmd_name, COMMANDS, 1)
            raise click.UsageError(
                f"No such command {cmd_name!r}." + (f" Did you mean {near[0]!r}?" if near else ""), ctx
            )
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tagline", message="%(prog)s %(version)s")
def tagline() -> None:
    """Integration-as-code with a lifecycle for Dynamics 365 and 3dcart / Shift4Shop."""


def main(args: list[str] | None = None) -> None:
    """
    Run one command and exit.

    Exit codes: 0 done, 1 failed, 2 wrong use, 3 refused, 4 differences found, 5 not authorised, 6 try again,
    7 partly done, 8 could not tell.
    """
    result: Any = 0
    try:
        result = tagline.main(args=args, prog_name="tagline", standalone_mode=False)
    except click.exceptions.Exit as stop:
        result = stop.exit_code
    except click.Abort:
        result = 130
    except click.ClickException as error:
        error.show()
        result = 2
    except TaglineError as error:
        print_error(error)
        result = error.exit_code
    except KeyboardInterrupt:
        result = 130
    sys.exit(result if isinstance(result, int) else 0)
