"""The command that tells the life of one record, and how the words for a system and an entity are understood."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click

from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import out, out_json, say
from tagline.cli.packages import package_of
from tagline.cli.state import State, state_of
from tagline.domain.environment import EnvironmentConfig
from tagline.domain.model import Model
from tagline.errors import TaglineError, UsageError

if TYPE_CHECKING:
    from tagline.runtime.trails import Sought, Source

SYSTEMS: Final[Mapping[str, str]] = {
    "3dcart": "shift4shop",
    "shift4shop": "shift4shop",
    "shop": "shift4shop",
    "crm": "dataverse",
    "dataverse": "dataverse",
    "finance": "finance",
    "fno": "finance",
}
"""What people call a system -> its kind."""


@click.command()
@click.argument("system")
@click.argument("entity", nargs=-1, required=True)
@click.argument("key")
@env_option
@click.option("--values", is_flag=True, help="Show what fields held before and after, not their names alone.")
@json_option
def trace(
    system: str, entity: tuple[str, ...], key: str, environment: str, values: bool, as_json: bool
) -> None:
    """
    Show everything that happened to one record, in time order.

    SYSTEM is 3dcart, dataverse, finance or a connection's name; ENTITY is its name there, such as `order` or `sales order`; KEY is
    the record's own key, an invoice number, the id of a row it became, or an alternate key of that row.
    """
    from tagline.cli.trail import render, to_json
    from tagline.runtime.trails import Sought, Trails

    with state_of(environment) as state:
        kind, connection = system_of(system, state.config)
        model = model_of(kind, " ".join(entity))
        sought = Sought(kind, model.remote.entity, key, tuple(target_keys(model, key)))
        trails = Trails(state.store.database, state.store.images)
        sources = list(_sources(state, trails.integrations(), connection))
        trail = trails.follow(sought, sources, values=values)
    if not trail.records:
        raise TaglineError(
            f"nothing is known of {sought.system} {sought.entity} {key}: {_looked_for(sought, sources)}",
            code="trace-nothing-found",
            where={"environment": environment},
            hint=f"nearest: {', '.join(trail.nearest)}"
            if trail.nearest
            else "see with `tagline shadow` whether the source holds it, and with `tagline status` whether the agent runs",
        )
    if as_json:
        out_json(to_json(trail, values=values))
        return
    out(render(trail, values=values))
    if trail.more:
        say("more records share this row: only the newest are followed")
    if not values:
        say("values are not shown; --values shows them")


def system_of(word: str, config: EnvironmentConfig) -> tuple[str, str]:
    """
    The kind of a system, and the connection where one was named.

    Raises:
        UsageError: It is neither a system nor a connection (code `trace-system-unknown`).
    """
    if word in config.connections:
        return config.connections[word].system, word
    for section in config.integrations.values():
        if word in section.connections:
            return config.connections[section.connections[word]].system, section.connections[word]
    if word.lower() in SYSTEMS:
        return SYSTEMS[word.lower()], ""
    names = sorted({*SYSTEMS, *config.connections})
    near = difflib.get_close_matches(word.lower(), names, 1)
    raise UsageError(
        f"{word!r} is neither a system nor a connection of {config.environment}",
        code="trace-system-unknown",
        hint=f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}",
    )


def model_of(system: str, words: str) -> type[Model]:
    """
    The model of an entity by any of its names: singular or plural, the remote's or ours, with or without spaces.

    Raises:
        UsageError: No model of that system has such a name (code `trace-entity-unknown`).
    """
    names: dict[str, type[Model]] = {}
    for model in _models(system):
        for name in (
            model.remote.entity,
            model.__name__,
            model.remote.collection.rpartition("/")[2],
        ):
            names.setdefault(_plain(name), model)
    asked = _plain(words)
    for form in (asked, asked.removesuffix("s"), f"{asked}s", asked.removesuffix("ies") + "y"):
        if form in names:
            return names[form]
    near = difflib.get_close_matches(asked, names, 3, 0.5)
    raise UsageError(
        f"{system} has no entity {words!r} that tagline knows",
        code="trace-entity-unknown",
        hint="did you mean " + " or ".join(dict.fromkeys(names[name].remote.entity for name in near)) + "?"
        if near
        else "the models of its connector are those that can be traced",
    )


def target_keys(model: type[Model], key: str) -> Iterator[str]:
    """A typed key as each alternate key of a model, several values with commas between them, as the journal writes them."""
    from tagline.runtime.images import to_text

    parts = key.split(",")
    for names in model.remote.keys:
        if len(names) == len(parts):
            yield to_text(tuple(zip(names, parts, strict=True)))
            if len(parts) == 1 and key.isdecimal():
                yield to_text(((names[0], int(key)),))


def _models(system: str) -> Sequence[type[Model]]:
    # All of them, since a journal's image may refer to any.
    for kind in sorted(set(SYSTEMS.values())):
        importlib.import_module(f"tagline.connectors.{kind}")
    return [m for m in _below(Model) if "remote" in vars(m) and m.remote.system == system]


def _below(model: type[Model]) -> Iterator[type[Model]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _sources(state: State, integrations: Sequence[str], connection: str) -> Iterator[Source]:
    from tagline.runtime.trails import Source

    for name in integrations:
        try:
            package = package_of(state, name)
        except TaglineError as error:
            say(
                f"the code of {name} is not here ({error.code}); its records are found by their target rows alone"
            )
            continue
        section = state.config.integrations.get(name)
        renamed = section.connections if section else {}
        for flow in package.flows.values():
            own = package.source_of(flow)
            if connection in ("", renamed.get(own, own)):
                remote = flow.source.remote
                yield Source(name, flow.name, remote.system, remote.entity)


def _looked_for(sought: Sought, sources: Sequence[Source]) -> str:
    flows = [s.flow for s in sources if (s.system, s.entity) == (sought.system, sought.entity)]
    as_source = f"no record of {', '.join(flows)} has that key or name, and " if flows else ""
    return f"{as_source}no effect reached a row of that id or key"
