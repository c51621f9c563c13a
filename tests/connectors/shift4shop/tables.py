"""A shop of plain tables: pages, filters, counts and answers to writes as the real one gives them, and all it was asked."""

import json
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx

ROOT = "/3dCartWebAPI/v2"
PAST_THE_END = [
    {"Key": "Error", "Value": "", "Status": "", "Message": "Offset amount exceeds the total number"}
]


def result(key, value, status="200"):
    return {"Key": key, "Value": str(value), "Status": status, "Message": "updated successfully"}


def sku_info(number, **fields):
    return {"SKUInfo": {"CatalogID": number, "SKU": f"S-{number}", "Stock": 5.0, **fields}}


@dataclass
class Tables:
    """Rows by path of their list; `filters` are query parameters -> where their value stands in a row."""

    lists: dict = field(default_factory=dict)
    filters: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    """Method, path with query, and body of each request."""
    answer: object = None
    """Answers writes in place of success."""

    def __call__(self, request):
        path = unquote(request.url.path.removeprefix(ROOT))
        query = {k.lower(): v for k, v in request.url.params.items()}
        body = json.loads(request.content) if request.content else None
        shown = unquote(str(request.url)).partition(ROOT)[2]
        self.asked.append((request.method, shown, body))
        if request.method != "GET":
            return self.answer(request, body) if self.answer else self._written(request, path, body)
        if path in self.lists:
            return self._list(self.lists[path], query)
        owner, _, own = path.removesuffix("/skuinfo").rpartition("/")
        found = [row for row in self.lists.get(owner, []) if str(_id(row)) == own]
        return httpx.Response(200, json=found) if found else httpx.Response(404)

    def _list(self, rows, query):
        for name, place in self.filters.items():
            if query.get(name):
                rows = [r for r in rows if str(place(r)).casefold() == query[name].casefold()]
        if "countonly" in query:
            return httpx.Response(200, json={"TotalCount": len(rows)})
        if not rows:
            return httpx.Response(404)
        offset, limit = int(query.get("offset", 1)), int(query.get("limit", 10))
        if offset > len(rows):
            return httpx.Response(400, json=PAST_THE_END)
        return httpx.Response(200, json=rows[offset - 1 : offset - 1 + limit])

    def _written(self, request, path, body):
        items = body if isinstance(body, list) else [body or {}]
        if request.method == "POST":
            told = [result("Id", 900 + place, "201") for place in range(len(items))]
            return httpx.Response(201, json=told)
        return httpx.Response(
            200, json=[result("Id", _id(item) or path.rpartition("/")[2]) for item in items]
        )

    def made(self, *methods):
        return [call for call in self.asked if call[0] in methods]


def _id(row):
    row = row.get("SKUInfo", row)
    for name in (
        "AdvancedOptionCode",
        "ItemIndexID",
        "ShipmentID",
        "TransactionIndexID",
        "OrderID",
        "CatalogID",
        "CustomerID",
        "CustomerGroupID",
        "CategoryID",
        "RMAID",
    ):
        if name in row:
            return row[name]
    return next((v for n, v in row.items() if n.endswith("ID")), "")
