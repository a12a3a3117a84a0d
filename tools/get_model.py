#!/usr/bin/env python3
"""Downloads the published speaker model and proves that it arrived whole.

The server states size and SHA-256 of the file before it redirects to the storage; the download is
judged by that statement, resumed when it was cut, and put in place in one step.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

ENDPOINT = "https://huggingface.co"
# name -> (repository, file). CC BY 4.0, WeSpeaker authors.
MODELS = {
    "wespeaker-voxceleb-resnet34-LM": (
        "Wespeaker/wespeaker-voxceleb-resnet34-LM",
        "voxceleb_resnet34_LM.onnx",
    ),
}
LARGEST_BYTES = 1 << 30
BLOCK_BYTES = 1 << 18
TIMEOUT_S = 30


class DownloadError(Exception):
    """What went wrong and what to do, in one sentence."""


@dataclass(frozen=True)
class Statement:
    """What the server says of the file."""

    size: int
    sha256: str


class KeepRedirect(urllib.request.HTTPRedirectHandler):
    """The statement stands on the redirect itself, so it is read, not followed."""

    def redirect_request(self, *_: object) -> None:  # type: ignore[override]
        return None


def ask(url: str, hops: int = 3) -> Message:
    """Headers of the first answer that states a digest, or of the last one."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.build_opener(KeepRedirect).open(request, timeout=TIMEOUT_S) as answer:
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


def refuse_page(head: bytes, url: str) -> None:
    """A page instead of a model is the commonest failure; name it before the digest does."""
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DownloadError(f"{url}: the server sent an HTML page, not a model")
    if start.startswith(b"version https://git-lfs"):
        raise DownloadError(f"{url}: the server sent a Git LFS pointer, not the file behind it")


def fetch(url: str, part: Path, stated: Statement) -> None:
    """Appends what is missing to part, from where an earlier try stopped."""
    have = part.stat().st_size if part.exists() else 0
    if have >= stated.size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            if have and answer.status != 206:
                have = 0  # the server starts over, so do we
            with part.open("ab" if have else "wb") as file:
                while block := answer.read(BLOCK_BYTES):
                    if have == 0:
                        refuse_page(block, url)
                    have += len(block)
                    if have > stated.size:
                        raise DownloadError(
                            f"{url}: more than the {stated.size} bytes that the server stated"
                        )
                    file.write(block)
                    show_progress(have, stated.size)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
    except OSError as error:
        raise DownloadError(
            f"{url}: broke off after {have} of {stated.size} bytes ({error}); run it again to go on"
        ) from error
    if have < stated.size:
        raise DownloadError(
            f"{url}: ended after {have} of {stated.size} bytes; run it again to go on"
        )


def show_progress(have: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if have == total else ""
        print(f"\r{have / 1e6:6.1f} of {total / 1e6:.1f} MB", end=end, file=sys.stderr, flush=True)


def digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def get(url: str, target: Path) -> Statement:
    """url -> target, or a DownloadError and target untouched."""
    stated = read_statement(url)
    if target.exists() and digest_of(target) == stated.sha256:
        return stated
    target.parent.mkdir(parents=True, exist_ok=True)
    # The digest in the name keeps the rest of another version from being appended.
    part = target.with_name(f"{target.name}.{stated.sha256[:12]}.part")
    try:
        fetch(url, part, stated)
        found = digest_of(part)
        if found != stated.sha256:
            raise DownloadError(
                f"{url}: SHA-256 is {found}, the server stated {stated.sha256}; discarded"
            )
    except DownloadError as error:
        if "run it again" not in str(error):
            part.unlink(missing_ok=True)
        raise
    os.replace(part, target)
    return stated


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default=next(iter(MODELS)), choices=sorted(MODELS))
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder for the file")
    parser.add_argument("--endpoint", default=ENDPOINT, help="server, for mirrors")
    args = parser.parse_args()

    repository, file = MODELS[args.name]
    target = args.out / file
    try:
        stated = get(f"{args.endpoint}/{repository}/resolve/main/{file}", target)
    except DownloadError as error:
        print(f"get_model: {error}", file=sys.stderr)
        return 1
    print(f"{target}: {stated.size} bytes, sha256:{stated.sha256}")
    print(f"start the service with it: make run MODEL={target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
