"""
An intake in a process of its own, to be killed: `python intake_process.py FOLDER` tells its port in one line and serves until its
standard input ends. It uses what the agent uses, with a connector that knows orders only.
"""

import sys
from pathlib import Path

from tests.runtime.housing import ROUTES, TOKEN, Shop

from tagline.clock import SystemClock
from tagline.runtime.intake import Door, Hook, Intake
from tagline.runtime.key_ring import KeyRing, make_key
from tagline.runtime.serve import serve
from tagline.runtime.store import Store


def main(folder: Path) -> None:
    store = Store.open(folder / "state.sqlite", ring=KeyRing.of(make_key().text), clock=SystemClock())
    intake = Intake(store, lambda name: None, lambda line: None, clock=SystemClock())
    intake.open("order_to_cash", Door({"shop": (Hook.opened_by((TOKEN,), Shop()),)}, ROUTES))  # type: ignore[arg-type]
    server = serve(intake, "127.0.0.1:0")
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()
    intake.stop()
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
