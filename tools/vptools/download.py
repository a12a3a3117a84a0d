"""A file from a server: judged by size and SHA-256, resumed when it was cut, put in place in one step."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 1 << 18
TIMEOUT_S = 30  # without a byte


class DownloadError(Exception):
    """What went wrong and what to do, in one sentence."""


class CutOff(DownloadError):
    """It ended early; what came is kept, and another try goes on from there."""


@dataclass(frozen=True)
class Statement:
    """What the file must be."""

    size: int
    sha256: str


def digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def get(url: str, target: Path, stated: Statement, within_s: float = float("inf")) -> None:
    """url -> target, or a DownloadError and target untouched. A target that is right is kept."""
    if target.exists() and digest_of(target) == stated.sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # The digest in the name keeps the rest of another version from being appended.
    part = target.with_name(f"{target.name}.{stated.sha256[:12]}.part")
    try:
        _append(url, part, stated, time.monotonic() + within_s)
        found = digest_of(part)
        if found != stated.sha256:
            raise DownloadError(
                f"{url}: SHA-256 is {found}, the server stated {stated.sha256}; discarded"
            )
    except CutOff:
        raise
    except DownloadError:
        part.unlink(missing_ok=True)
        raise
    os.replace(part, target)


def _append(url: str, part: Path, stated: Statement, deadline: float) -> None:
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
                        _refuse_page(block, url)
                    have += len(block)
                    if have > stated.size:
                        raise DownloadError(
                            f"{url}: more than the {stated.size} bytes that the server stated"
                        )
                    file.write(block)
                    _show_progress(have, stated.size)
                    if time.monotonic() > deadline:
                        break
    except urllib.error.HTTPError as error:
        said = f"{url}: the server answers {error.code} {error.reason}"
        if error.code >= 500:  # its trouble, not the file's
            raise CutOff(f"{said}; run it again later") from error
        raise DownloadError(said) from error
    except (OSError, http.client.HTTPException) as error:
        raise CutOff(
            f"{url}: broke off after {have} of {stated.size} bytes ({error}); run it again to go on"
        ) from error
    if have < stated.size:
        raise CutOff(f"{url}: ended after {have} of {stated.size} bytes; run it again to go on")


def _refuse_page(head: bytes, url: str) -> None:
    """A page instead of a model is the commonest failure; name it before the digest does."""
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DownloadError(f"{url}: the server sent an HTML page, not a model")
    if start.startswith(b"version https://git-lfs"):
        raise DownloadError(f"{url}: the server sent a Git LFS pointer, not the file behind it")


def _show_progress(have: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if have == total else ""
        print(f"\r{have / 1e6:6.1f} of {total / 1e6:.1f} MB", end=end, file=sys.stderr, flush=True)
