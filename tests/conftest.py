"""Settings that hold for every test."""

from hypothesis import settings

# Machines are shared: how long one example takes says nothing about the code.
settings.register_profile("tagline", deadline=None)
settings.load_profile("tagline")

pytest_plugins = ["tagline.sandbox.pytest_plugin"]
"""An installed tagline brings it by itself, under the same name; a checkout that was installed before it was there does not."""
