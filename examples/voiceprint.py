#!/usr/bin/env python3
"""A client of voiceprintd in Python, standard library only. Import Client, or use it from a shell:

    examples/voiceprint.py compare a.wav b.wav
    examples/voiceprint.py embed a.wav > a.json       # enrol once, store the numbers as a secret
    examples/voiceprint.py compare a.json b.wav       # later: is this the enrolled voice?
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any


class Problem(Exception):
    """An error of the service: application/problem+json, RFC 9457."""

    def __init__(self, status: int, members: dict[str, Any]) -> None:
        super().__init__(f"{members.get('title', status)}: {members.get('detail', '')}")
        self.status = status
        self.name = members.get("type", "").removeprefix("urn:voiceprintd:problem:")
        self.members = members


class Client:
    def __init__(self, url: str, key: str = "", attempts: int = 5, timeout_s: float = 60) -> None:
        self.url, self.key, self.attempts, self.timeout_s = url.rstrip("/"), key, attempts, timeout_s

    def embed(self, clip: Path) -> dict[str, Any]:
        """One recording -> its answer; ["embedding"] is the list of numbers, of length 1."""
        return self._post("/embed", clip.read_bytes(), "application/octet-stream")

    def compare(self, a: list[Path], b: list[Path]) -> dict[str, Any]:
        """Two sides -> score, same_speaker and the rest. A side is one or more recordings, or one
        .json file that holds an answer of embed."""
        boundary = uuid.uuid4().hex
        body = b""
        for side, files in (("a", a), ("b", b)):
            for file in files:
                kind = "application/json" if file.suffix == ".json" else "application/octet-stream"
                body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{side}"; filename="clip"'
                         f"\r\nContent-Type: {kind}\r\n\r\n").encode() + file.read_bytes() + b"\r\n"
        body += f"--{boundary}--\r\n".encode()
        return self._post("/compare", body, f"multipart/form-data; boundary={boundary}")

    def _post(self, path: str, body: bytes, content_type: str) -> dict[str, Any]:
        headers = {"Content-Type": content_type}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        for attempt in range(1, self.attempts + 1):
            request = urllib.request.Request(self.url + path, body, headers)
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code == 503 and attempt < self.attempts:  # full or starting: come back later
                    time.sleep(int(error.headers.get("Retry-After", "1")))
                    continue
                raise Problem(error.code, json.load(error)) from None
        raise AssertionError("unreachable")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("embed").add_argument("clip", type=Path)
    command = commands.add_parser("compare")
    command.add_argument("a", type=Path)
    command.add_argument("b", type=Path)
    args = parser.parse_args()
    client = Client(os.environ.get("VOICEPRINTD_URL", "http://127.0.0.1:8080"),
                    os.environ.get("VOICEPRINTD_KEY", ""))
    try:
        answer = (client.embed(args.clip) if args.command == "embed"
                  else client.compare([args.a], [args.b]))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    json.dump(answer, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
