#!/usr/bin/env python3
"""Renders openapi.yaml into the page that the server shows at /docs.

A page of plain HTML, made when the server is built: it needs no JavaScript to be read, no
inline style (so the Content-Security-Policy stays strict), and no network while building. Where
swagger_ui.py could bring Swagger UI, that takes over in browsers that run scripts.
`x-codeSamples` of an operation, the extension that other renderers know too, are its curl lines.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import markdown
import yaml

Node = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 5  # nested objects in one table; the contract is flatter than that


@dataclass(frozen=True)
class Field:
    name: str  # dotted path from the top of the message, [] for the items of an array
    type: str
    required: bool
    description: str


class Contract:
    """An OpenAPI document, its references followed."""

    def __init__(self, document: Node) -> None:
        self.document = document

    def follow(self, node: Node) -> Node:
        while "$ref" in node:
            target: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def merged(self, schema: Node) -> Node:
        """A schema with its reference followed and allOf folded in."""
        schema = self.follow(schema)
        parts = [self.merged(part) for part in schema.get("allOf", [])]
        whole: Node = {"properties": {}, "required": []}
        for part in [*parts, {k: v for k, v in schema.items() if k != "allOf"}]:
            whole["properties"] |= part.get("properties", {})
            whole["required"] = whole["required"] + part.get("required", [])
            whole |= {k: v for k, v in part.items() if k not in ("properties", "required")}
        return whole

    def type_of(self, schema: Node) -> str:
        """'number, null', 'array of string', 'one of: ...', with the bounds that are stated."""
        schema = self.merged(schema)
        if "const" in schema:
            return f"always {json.dumps(schema['const'])}"
        if "enum" in schema:
            return "one of " + ", ".join(json.dumps(value) for value in schema["enum"])
        choices = schema.get("oneOf") or schema.get("anyOf")
        if choices:
            return " or ".join(dict.fromkeys(self.type_of(choice) for choice in choices))
        types = schema.get("type", "object" if schema["properties"] else "any")
        name = types if isinstance(types, str) else " or ".join(types)
        if name == "array" and "items" in schema:
            name = f"array of {self.type_of(schema['items'])}"
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None or high is not None:
            name += f", {low if low is not None else ''}..{high if high is not None else ''}"
        if "exclusiveMinimum" in schema:
            name += f", above {schema['exclusiveMinimum']}"
        if "format" in schema:
            name += f" ({schema['format']})"
        return name

    def fields(self, schema: Node, prefix: str = "", depth: int = 0) -> list[Field]:
        """Every named member of a message, the nested ones by dotted path."""
        schema = self.merged(schema)
        rows: list[Field] = []
        for name, member in schema["properties"].items():
            inner = self.merged(member)
            path = f"{prefix}{name}"
            rows.append(Field(path, self.type_of(member), name in schema["required"],
                              inner.get("description", "")))
            if depth < DEEPEST:
                rows += self.fields(inner, f"{path}.", depth + 1)
                if "items" in inner:
                    rows += self.fields(inner["items"], f"{path}[].", depth + 1)
        for choice in [*schema.get("oneOf", []), *schema.get("anyOf", [])]:
            known = {row.name for row in rows}
            rows += [row for row in self.fields(choice, prefix, depth + 1) if row.name not in known]
        return rows

    def example(self, media: Node) -> str:
        """The example of a body as text, empty where none is given."""
        value = media.get("example")
        if value is None and media.get("examples"):
            value = self.follow(next(iter(media["examples"].values()))).get("value")
        if value is None and "schema" in media:
            schema = self.merged(media["schema"])
            value = schema.get("example", next(iter(schema.get("examples", [])), None))
        if value is None or isinstance(value, str):
            return value or ""
        return compact(json.dumps(value, indent=2, ensure_ascii=False))

    def bodies(self, node: Node) -> list[Node]:
        """A request or an answer -> [{type, fields, example, description}]."""
        views = []
        for media_type, media in self.follow(node).get("content", {}).items():
            schema = self.merged(media.get("schema", {}))
            views.append({"type": media_type, "fields": self.fields(schema),
                          "kind": self.type_of(schema), "example": self.example(media),
                          "description": schema.get("description", "")})
        return views

    def parameters(self, path: Node, operation: Node) -> list[Node]:
        merged = [self.follow(p) for p in [*path.get("parameters", []), *operation.get("parameters", [])]]
        return [{**p, "kind": self.type_of(p.get("schema", {})),
                 "default": self.merged(p.get("schema", {})).get("default")} for p in merged]

    def operations(self) -> list[Node]:
        """Every operation in the order of the document."""
        everywhere = self.document.get("security", [])
        views = []
        for route, path in self.document["paths"].items():
            for method in METHODS:
                if method not in path:
                    continue
                operation = path[method]
                answers = [{"status": status, "description": self.follow(answer)["description"],
                            "headers": list(self.follow(answer).get("headers", {})),
                            "bodies": self.bodies(answer)}
                           for status, answer in operation["responses"].items()]
                security = operation.get("security", everywhere)
                views.append({
                    "id": re.sub(r"\W+", "-", f"{method}{route}").strip("-"),
                    "method": method.upper(), "route": route,
                    "summary": operation.get("summary", ""),
                    "description": operation.get("description", ""),
                    "key": bool(security) and {} not in security,
                    "key_optional": {} in security and len(security) > 1,
                    "samples": operation.get("x-codeSamples", []),
                    "parameters": self.parameters(path, operation),
                    "requests": self.bodies(operation.get("requestBody", {})),
                    "answers": [a for a in answers if a["status"] < "400"],
                    "problems": [a for a in answers if a["status"] >= "400"]})
        return views

    def problem_fields(self) -> list[Field]:
        """The members that every problem document has; an operation's own are in its words."""
        return self.fields({"$ref": "#/components/schemas/Problem"})


def compact(text: str) -> str:
    """Arrays of plain values on one line: 256 numbers are no reading matter."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s+", " ", m.group()), text)


def render(document: Node, template: Path, swagger_ui: bool) -> str:
    """The page. A member that the template misspells is an error, not an empty place."""
    loader = jinja2.FileSystemLoader(template.parent)
    engine = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True,
                                lstrip_blocks=True, undefined=jinja2.StrictUndefined)

    def prose(text: str) -> jinja2.utils.markupsafe.Markup:
        html = markdown.markdown(text, extensions=["fenced_code", "tables", "sane_lists"])
        # Wide tables and code scroll by themselves, by keyboard too.
        html = html.replace("<pre>", '<pre tabindex="0">')
        return jinja2.utils.markupsafe.Markup(html)

    engine.filters["prose"] = prose
    contract = Contract(document)
    return engine.get_template(template.name).render(
        info=document["info"], operations=contract.operations(), problem=contract.problem_fields(),
        security=document.get("components", {}).get("securitySchemes", {}), swagger_ui=swagger_ui)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("openapi", type=Path, help="the contract")
    parser.add_argument("template", type=Path, help="docs.html.j2")
    parser.add_argument("out", type=Path, help="the page to write")
    parser.add_argument("--swagger-ui", type=Path, help="folder of swagger_ui.py; may be empty")
    args = parser.parse_args()
    document = yaml.safe_load(args.openapi.read_text(encoding="utf-8"))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    swagger_ui = args.swagger_ui is not None and (args.swagger_ui / "swagger-ui-bundle.js").exists()
    args.out.write_text(render(document, args.template, swagger_ui), encoding="utf-8")


if __name__ == "__main__":
    main()
