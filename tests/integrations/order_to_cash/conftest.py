"""The integration's package and its example orders, importable by name."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE.parents[2] / "integrations" / "order_to_cash", HERE):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
