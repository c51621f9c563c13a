"""The generated role is enough: an application that holds it and nothing else works the whole integration off."""

from __future__ import annotations

from pathlib import Path

from tagline.connectors.dataverse.solution import role_id
from tagline.harness.world import World
from tagline.integration.load import load_from
from tagline.integration.solution import solution_of
from tagline.sandbox.dataverse_founding import USER_ID, put_role
from tagline.sandbox.dataverse_rights import Depth

ROOT = Path(__file__).parents[2]
WRITTEN = 7
"""Of the awkward orders; the others are not completed, or are set aside for what is wrong with them."""


def test_orders_of_every_awkward_kind_are_written_with_the_generated_role_alone(tmp_path):
    integration = load_from(ROOT, "order_to_cash")
    settings = integration.settings.model_validate({"store": "shop", "price_level": "Web"})
    made = solution_of(integration)
    with World(integration, settings, tmp_path) as world:
        organisation = world.remotes.organisation
        depths = {right.privilege: Depth[right.depth.value.upper()] for right in made.rights}
        with organisation.entered():
            put_role(organisation.rows, role_id(made), made.role, depths, is_managed=True)
        organisation.set_roles(USER_ID, made.role)
        world.place_awkward()
        world.run()
        causes = {letter.cause for letter in world.store.dead_letters.list()}
        assert not [cause for cause in causes if "permitted" in cause or "authorised" in cause]
        assert len(world.rows("salesorder")) == WRITTEN
