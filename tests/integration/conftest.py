"""Integrations that Dataverse starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.place import MIRROR

from tagline.integration.load import Integration, load


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Integration:
    """Accounts become contacts: started by events of Dataverse, and swept."""
    return _written(tmp_path_factory.mktemp("mirror"), MIRROR)


@pytest.fixture(scope="session")
def unswept(tmp_path_factory: pytest.TempPathFactory) -> Integration:
    """The same, by events alone."""
    flows = MIRROR["mirror/flows.py"].replace("sweep=every(minutes=5), ", "")
    return _written(tmp_path_factory.mktemp("unswept"), {**MIRROR, "mirror/flows.py": flows})


def _written(folder: Path, files: dict[str, str]) -> Integration:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return load(folder)
