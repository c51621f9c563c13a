"""Commands about the key ring: make a key, see what is under which, let one key follow another while work goes on."""

from __future__ import annotations

import click

from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import counted, out, out_json, say, table
from tagline.cli.state import State, state_of


@click.group()
def keys() -> None:
    """Make, show, rotate and retire the keys under which an environment's state is encrypted."""


@keys.command()
def generate() -> None:
    """Print a new key, for the first line of a key ring; it is stored nowhere."""
    from tagline.runtime.key_ring import make_key

    key = make_key()
    say(f"key {key.id}:")
    out(key.text)


@keys.command()
@env_option
@json_option
def status(environment: str, as_json: bool) -> None:
    """Show every key of an environment: whether it encrypts, whether the ring here holds it, how many rows are under it."""
    from tagline.runtime import rotation

    with state_of(environment) as state:
        found = rotation.status(state.store.database, state.store.images.ring)
    if as_json:
        out_json([vars(use) for use in found])
        return
    rows = [
        (
            use.id,
            use.state,
            f"{use.since:%Y-%m-%d %H:%M}Z" if use.since else "-",
            f"{use.rows:,}",
            "yes" if use.in_ring else "no",
        )
        for use in found
    ]
    out(table(rows, ("key", "state", "since", "rows", "in the ring here")))
    for use in found:
        if not use.in_ring and (use.rows or use.state == rotation.ACTIVE):
            say(f"warning: the ring here lacks key {use.id}: copy it from a machine whose ring holds it")


@keys.command()
@env_option
@json_option
def rotate(environment: str, as_json: bool) -> None:
    """
    Let another key encrypt from now on; agents and workers go on working.

    The ring's first line is taken where it never encrypted before; else a new key is put there, which needs a ring in a file.
    """
    from tagline.runtime import rotation
    from tagline.runtime.key_ring import ring_file

    with state_of(environment) as state:
        ring = state.store.images.ring
        use = rotation.rotate(
            state.store.database, ring, lambda: ring_file(state.config.agent.state_key), state.store.clock
        )
        others = [key.id for key in ring.keys if key.id != use.id]
    if as_json:
        out_json(vars(use))
        return
    out(f"key {use.id} encrypts from now on")
    if _is_shared(state):
        say("next: copy the key ring to every other machine of this environment; one that lacks it waits")
    for other in others:
        say(f"next: tagline keys retire {other} --env {environment}")


@keys.command()
@click.argument("key")
@env_option
@json_option
def retire(key: str, environment: str, as_json: bool) -> None:
    """Encrypt anew whatever is still under KEY, while work goes on, then take it out of the ring."""
    from tagline.runtime import rotation
    from tagline.runtime.key_ring import ring_file

    with state_of(environment) as state:
        reference = state.config.agent.state_key
        moved = rotation.retire(
            state.store.database,
            state.store.images.ring,
            lambda: ring_file(reference),
            key,
            state.store.clock,
        )
    if as_json:
        out_json({"key": key, "moved": moved})
        return
    out(
        f"{counted(moved, 'row')} encrypted anew; nothing is left under key {key}, and the ring here no longer holds it"
    )
    if _is_shared(state):
        say("next: copy the key ring to every other machine of this environment")
    say(
        "backups made before hold images under it: keep the key apart from them for as long as you want to read them"
    )


def _is_shared(state: State) -> bool:
    return state.store.database.place.is_shared
