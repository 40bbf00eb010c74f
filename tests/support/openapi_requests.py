"""Requests made from an OpenAPI schema, repeatable by their seed: most as it wants them, some nearly, some not."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_from_bytes

Schema = dict[str, Any]

NASTY = (
    "",
    " ",
    "\x00",
    "\n",
    "\u2028",
    "\ud800",
    "\ufffd",
    "é",
    "\U0001f600",
    "null",
    "true",
    "-1",
    "0",
    "9" * 30,
    "1e400",
    "NaN",
    "'",
    '"',
    "\\",
    "%",
    "%00",
    "{}",
    "{0}",
    "${x}",
    "../..",
    "' OR 1=1 --",
    "x" * 300,
    "+" * 70,
    "0x10",
    "1001",
    "spring",
    "secret",
    "2026-03-01",
    "25:00",
    "+2h",
    "+99999999d",
    "9999-12-31T23:59",
    "mon-fri 08:00-20:00",
    "PJSIP/1001@evil",
    "=1+1",
    "<script>",
    "\r\nX: y",
    "+447421000007",
    "07421 000007",
    "-started_at",
    "due",
    "*",
    "٣" * 9,
)


@dataclass(frozen=True, slots=True)
class Made:
    """One request; ``path`` and ``query`` are percent-encoded already."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}?{self.query} {self.headers} {self.body[:300]!r}"


class Requests:
    """`for made in Requests(app.openapi(), seed, known).many(1000)`. ``known``: values that exist, by parameter."""

    def __init__(self, schema: Schema, seed: int, known: dict[str, list[Any]]) -> None:
        self._schema, self._random, self._known = schema, random.Random(seed), known
        self._operations = [
            (method, path, operation)
            for path, item in schema["paths"].items()
            if path.startswith("/v1")
            for method, operation in item.items()
        ]

    def many(self, count: int) -> Iterator[Made]:
        """So many requests."""
        for _ in range(count):
            yield self.one()

    def one(self) -> Made:
        """One request."""
        rng = self._random
        method, path, operation = rng.choice(self._operations)
        wild = rng.random() < 0.3
        headers: dict[str, str] = {"content-type": "application/json"}
        query: list[str] = []
        for parameter in operation.get("parameters", ()):
            self._add(parameter, wild, headers, query)
            if parameter["in"] == "path":
                hole = "{" + parameter["name"] + "}"
                path = path.replace(hole, self._quoted(self._value_for(parameter, wild)))
        if rng.random() < 0.1:
            headers["idempotency-key"] = rng.choice(("a", "b", "", " ", "x" * 250, "é", "\x7f", f"k{rng.random()}"))
        if rng.random() < 0.05:
            query.append(self._quoted(rng.choice(NASTY)) + "=" + self._quoted(rng.choice(NASTY)))
        if rng.random() < 0.03:
            headers["content-type"] = rng.choice(
                ("text/plain", "", "multipart/form-data", "application/json; charset=x")
            )
        if rng.random() < 0.02:
            method = rng.choice(("put", "delete", "head", "options", "patch", "get", "post"))
        return Made(method.upper(), path, "&".join(query), headers, self._body(operation, wild))

    def _add(self, parameter: Schema, wild: bool, headers: dict[str, str], query: list[str]) -> None:
        name, rng = parameter["name"], self._random
        if parameter["in"] == "header" and rng.random() < 0.3:
            text = str(self._value_for(parameter, wild)).encode("latin-1", "replace").decode("latin-1")
            headers[name.lower()] = "".join(c for c in text if c not in "\r\n\x00")
        if parameter["in"] == "query" and rng.random() < 0.3:
            value = self._value_for(parameter, wild)
            for item in value if isinstance(value, list) else [value]:
                query.append(f"{self._quoted(name)}={self._quoted(item)}")

    def _quoted(self, value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        if self._random.random() < 0.01:
            return quote_from_bytes(self._random.randbytes(8), safe="")
        return quote(text, safe="", errors="replace") or "%20"

    def _value_for(self, parameter: Schema, wild: bool) -> Any:
        known = self._known.get(parameter["name"])
        if known and self._random.random() < 0.7:
            return self._random.choice(known)
        return self._nasty() if wild and self._random.random() < 0.6 else self._value(parameter["schema"], wild)

    # -- bodies ---------------------------------------------------------------------------------------

    def _body(self, operation: Schema, wild: bool) -> bytes:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or self._random.random() < 0.02:
            return b"" if self._random.random() < 0.95 else self._random.randbytes(20)
        document = self._value(content["schema"], wild)
        data = json.dumps(document, ensure_ascii=self._random.random() < 0.5).encode("utf-8", "surrogatepass")
        if wild and self._random.random() < 0.1:
            at = self._random.randrange(len(data) + 1)
            data = data[:at] + self._random.randbytes(2) + data[at + 1 :]
        return data

    def _value(self, schema: Schema, wild: bool, depth: int = 0) -> Any:
        if "$ref" in schema:
            schema = self._schema["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        if wild and self._random.random() < 0.15:
            return self._anything(depth)
        if "anyOf" in schema:
            return self._value(self._random.choice(schema["anyOf"]), wild, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        make: dict[str, Callable[[Schema, bool, int], Any]] = {
            "string": self._string, "integer": self._integer, "number": self._number, "object": self._object,
            "array": self._array, "boolean": lambda *_: self._random.random() < 0.5, "null": lambda *_: None,
        }  # fmt: skip
        return make[schema["type"]](schema, wild, depth) if "type" in schema else self._anything(depth)

    def _string(self, schema: Schema, wild: bool, depth: int) -> str:
        if self._random.random() < 0.5:
            text = self._random.choice(NASTY)
            return text if wild else text[: schema.get("maxLength", 300)]
        low, high = schema.get("minLength", 0), min(schema.get("maxLength", 20), 20)
        length = self._random.randint(min(low, high), high)
        return "".join(self._random.choices(string.ascii_letters + string.digits + "+ -_", k=length))

    def _integer(self, schema: Schema, wild: bool, depth: int) -> int:
        if wild and self._random.random() < 0.4:
            return self._random.choice((0, -1, 2**31, 2**63, -(2**63) - 1, 10**40, 2**53 + 1))
        return self._random.randint(int(schema.get("minimum", -10)), int(min(schema.get("maximum", 10), 10**6)))

    def _number(self, schema: Schema, wild: bool, depth: int) -> float:
        return self._random.choice((0.0, 1.5, -2.25, 1e308, 1e-320, 3.0, 0.1))

    def _object(self, schema: Schema, wild: bool, depth: int) -> dict[str, Any]:
        properties, needed = schema.get("properties", {}), schema.get("required", ())
        made = {
            name: self._known_value(name, part, wild, depth + 1)
            for name, part in properties.items()
            if (name in needed and not (wild and self._random.random() < 0.1)) or self._random.random() < 0.5
        }
        more = schema.get("additionalProperties")
        if isinstance(more, dict) or (wild and self._random.random() < 0.2):
            keys = (*self._known.get("key", ("a", "b")), *NASTY)
            for _ in range(self._random.randint(schema.get("minProperties", 0), 4)):
                part = more if isinstance(more, dict) else {}
                made[self._random.choice(keys)] = self._value(part, wild, depth + 1)
        return made

    def _known_value(self, name: str, schema: Schema, wild: bool, depth: int) -> Any:
        known = self._known.get(name)
        return self._random.choice(known) if known and self._random.random() < 0.6 else self._value(schema, wild, depth)

    def _array(self, schema: Schema, wild: bool, depth: int) -> list[Any]:
        count = self._random.randint(schema.get("minItems", 0), 3)
        return [self._value(schema.get("items", {}), wild, depth + 1) for _ in range(count)]

    def _nasty(self) -> str:
        return self._random.choice(NASTY)

    def _anything(self, depth: int) -> Any:
        kind = self._random.randrange(8 if depth < 4 else 6)
        if kind == 6:
            return [self._anything(depth + 1) for _ in range(2)]
        if kind == 7:
            return {self._nasty(): self._anything(depth + 1)}
        return (None, True, 10**25, -1.5, self._nasty(), "")[kind]
