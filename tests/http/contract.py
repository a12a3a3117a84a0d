"""openapi.yaml as a judge: does a real answer conform to what it states for path, method and status?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import requests
import yaml

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).resolve().parents[2] / "openapi.yaml").read_text())


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = DOCUMENT
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node


def judge(response: requests.Response, path: str, method: str) -> None:
    """Raises unless the answer is one that the document has for this operation."""
    operation = DOCUMENT["paths"][path][method.lower()]
    assert str(response.status_code) in operation["responses"], f"{method} {path}: {response.status_code} is undocumented"
    stated = resolve(operation["responses"][str(response.status_code)])
    media = response.headers["Content-Type"].split(";")[0]
    assert media in stated["content"], f"{method} {path} {response.status_code}: {media} is undocumented"
    if media.endswith("json"):
        judge_body(response.json(), path, method, response.status_code, media)
    for name, header in stated.get("headers", {}).items():
        assert name in response.headers, f"{method} {path} {response.status_code}: no {name}"
        value = response.headers[name]
        typed = int(value) if header["schema"]["type"] == "integer" else value
        jsonschema.Draft202012Validator(header["schema"]).validate(typed)


def judge_body(body: Any, path: str, method: str, status: int, media: str) -> None:
    """Raises unless body is what the document has for this status and media type."""
    stated = resolve(DOCUMENT["paths"][path][method.lower()]["responses"][str(status)])
    schema = {**stated["content"][media]["schema"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(body)
