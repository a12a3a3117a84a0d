#!/usr/bin/env python3
"""Downloads the published speaker model and proves that it arrived whole.

The server states size and SHA-256 of the file before it redirects to the storage; the download is
judged by that statement, resumed when it was cut, and put in place in one step.
"""

from __future__ import annotations

import argparse
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from pathlib import Path

from vptools import download
from vptools.download import DownloadError, Statement

ENDPOINT = "https://huggingface.co"
# name -> (repository, file). CC BY 4.0, WeSpeaker authors.
MODELS = {
    "wespeaker-voxceleb-resnet34-LM": (
        "Wespeaker/wespeaker-voxceleb-resnet34-LM",
        "voxceleb_resnet34_LM.onnx",
    ),
}
LARGEST_BYTES = 1 << 30


class KeepRedirect(urllib.request.HTTPRedirectHandler):
    """The statement stands on the redirect itself, so it is read, not followed."""

    def redirect_request(self, *_: object) -> None:  # type: ignore[override]
        return None


def ask(url: str, hops: int = 3) -> Message:
    """Headers of the first answer that states a digest, or of the last one."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.build_opener(KeepRedirect).open(request, timeout=download.TIMEOUT_S) as answer:
            return answer.headers
    except urllib.error.HTTPError as error:
        if error.code in (301, 302, 303, 307, 308):
            target = error.headers.get("Location", "")
            if hops and target and "X-Linked-Etag" not in error.headers:  # a renamed repository
                return ask(urllib.parse.urljoin(url, target), hops - 1)
            return error.headers
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
    except OSError as error:
        raise DownloadError(
            f"{url}: cannot be reached ({error}); on a machine without network bring the file "
            "by hand and name it with --model"
        ) from error


def read_statement(url: str) -> Statement:
    headers = ask(url)
    etag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").strip('W/"')
    size = headers.get("X-Linked-Size") or headers.get("Content-Length") or ""
    if not re.fullmatch(r"[0-9a-f]{64}", etag) or not re.fullmatch(r"[0-9]{1,12}", size):
        kind = headers.get_content_type()
        raise DownloadError(
            f"{url}: the server states no SHA-256 and size for this file (it offers {kind}); "
            "a proxy or a login page may stand between"
        )
    if not 0 < int(size) <= LARGEST_BYTES:
        raise DownloadError(f"{url}: {size} bytes is no size for a model")
    return Statement(int(size), etag)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default=next(iter(MODELS)), choices=sorted(MODELS))
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder for the file")
    parser.add_argument("--endpoint", default=ENDPOINT, help="server, for mirrors")
    args = parser.parse_args()

    repository, file = MODELS[args.name]
    target = args.out / file
    try:
        url = f"{args.endpoint}/{repository}/resolve/main/{file}"
        stated = read_statement(url)
        download.get(url, target, stated)
    except DownloadError as error:
        print(f"get_model: {error}", file=sys.stderr)
        return 1
    print(f"{target}: {stated.size} bytes, sha256:{stated.sha256}")
    print(f"start the service with it: make run MODEL={target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
