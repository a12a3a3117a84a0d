"""What the tests of known voices share: vectors at given angles, and a service that keeps voices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import requests
from contract import judge
from service import Service

SLOPE, OFFSET, THRESHOLD = 20.0, -12.0, 0.6


def serve(path: Path, **options: Any) -> Service:
    options = {"enrol_min_speech_s": 3, "threshold": THRESHOLD, "calibration": f"{SLOPE},{OFFSET}", **options}
    return Service(voices=f"sqlite:{path}", **options)


def axis(i: int, dim: int) -> np.ndarray:
    vector = np.zeros(dim)
    vector[i] = 1
    return vector


def near(cosine: float, i: int, j: int, dim: int) -> np.ndarray:
    """A vector with that cosine to axis i, the rest of it along axis j."""
    return cosine * axis(i, dim) + np.sqrt(1 - cosine**2) * axis(j, dim)


def enrolment(vectors: list[np.ndarray], speech_s: float = 30.0, **members: Any) -> dict[str, Any]:
    return {"embeddings": [vector.tolist() for vector in vectors], "speech_s": speech_s, **members}


class Voices:
    """The calls of the contract, with a key where one is asked for, each answer judged by it."""

    def __init__(self, service: Service, key: str | None = None) -> None:
        self.service = service
        self.key = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.dim = service.get("/info", headers=self.key).json()["dim"]

    def call(self, method: str, path: str, template: str, **kwargs: Any) -> requests.Response:
        kwargs["headers"] = self.key | (kwargs.pop("headers", None) or {})
        answer = requests.request(method, self.service.url + path, timeout=120, **kwargs)
        if answer.status_code != 204:
            judge(answer, template, method)
        return answer

    def put(self, name: str, vectors: list[np.ndarray], query: str = "", headers: dict[str, str] | None = None,
            **members: Any) -> requests.Response:
        return self.call("PUT", f"/voices/{name}{query}", "/voices/{id}", json=enrolment(vectors, **members), headers=headers)

    def send(self, name: str, clips: list[bytes], query: str = "", method: str = "PUT", metadata: str | None = None) -> requests.Response:
        files: list[Any] = [("file", ("c.wav", clip, "audio/wav")) for clip in clips]
        if metadata is not None:
            files.append(("metadata", (None, metadata)))
        path, template = (f"/voices/{name}", "/voices/{id}") if method == "PUT" else (f"/voices/{name}/clips", "/voices/{id}/clips")
        return self.call(method, path + query, template, files=files)

    def add(self, name: str, vectors: list[np.ndarray], query: str = "", headers: dict[str, str] | None = None,
            **members: Any) -> requests.Response:
        return self.call("POST", f"/voices/{name}/clips{query}", "/voices/{id}/clips", json=enrolment(vectors, **members), headers=headers)

    def get(self, name: str, query: str = "") -> requests.Response:
        return self.call("GET", f"/voices/{name}{query}", "/voices/{id}")

    def list(self, query: str = "") -> requests.Response:
        return self.call("GET", "/voices" + query, "/voices")

    def delete(self, name: str, query: str = "", headers: dict[str, str] | None = None) -> requests.Response:
        return self.call("DELETE", f"/voices/{name}{query}", "/voices/{id}", headers=headers)

    def delete_clip(self, name: str, clip: int | str, query: str = "") -> requests.Response:
        return self.call("DELETE", f"/voices/{name}/clips/{clip}{query}", "/voices/{id}/clips/{clip}")

    def clear(self, query: str) -> requests.Response:
        return self.call("DELETE", "/voices" + query, "/voices")

    def verify(self, name: str, vector: np.ndarray, query: str = "") -> requests.Response:
        return self.call("POST", f"/voices/{name}/verify{query}", "/voices/{id}/verify", json={"embedding": vector.tolist()})

    def identify(self, vector: np.ndarray, query: str = "") -> requests.Response:
        return self.call("POST", "/identify" + query, "/identify", json={"embedding": vector.tolist()})
