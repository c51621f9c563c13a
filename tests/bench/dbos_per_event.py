"""A peer of the runtime bench: every webhook a DBOS workflow with one step. `dbos_per_event.py FILE PORT SINK`."""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from tagline.runtime.engine_dbos import _sqlite

SINK = sys.argv[3]
client = httpx.Client(trust_env=False)
starters = ThreadPoolExecutor(4)


@DBOS.step()
def post(order: dict[str, Any]) -> None:
    mapped = {
        "key": f"order-{order['OrderID']}",
        "firstname": order.get("BillingFirstName"),
        "lastname": order.get("BillingLastName"),
        "email": order.get("BillingEmail"),
        "city": order.get("BillingCity"),
        "status": order.get("OrderStatusID"),
        "amount": str(order.get("OrderAmount")),
    }
    client.post(f"{SINK}/effect/{order['OrderID']}", json=mapped).raise_for_status()


@DBOS.workflow()
def effect(order: dict[str, Any]) -> None:
    post(order)


def begin(order: dict[str, Any]) -> None:
    """Returns once the workflow is durable."""
    with SetWorkflowID(f"order-{order['OrderID']}"):
        DBOS.start_workflow(effect, order)


async def app(scope: Any, receive: Any, send: Any) -> None:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    await asyncio.get_running_loop().run_in_executor(starters, begin, json.loads(body)[0])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    DBOS(
        config=DBOSConfig(
            name="bench",
            system_database_engine=_sqlite(Path(sys.argv[1])),
            application_version="1",
            serializer=DBOSPortableJSONSerializer(),
            log_level="ERROR",
            max_executor_threads=16,
        )
    )
    DBOS.launch()
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", lifespan="off")
