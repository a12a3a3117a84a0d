"""tools/pages/swagger_ui.py: only the very package that is pinned, and a build that goes on without."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "tools" / "pages"
BUILD_PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")  # as the Makefile has it: docs.py needs jinja2
NAME = "drf_spectacular_sidecar-2026.10.1"
INSIDE = "drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist/"


def run(out: Path, tmp_path: Path, *options: str, shelf: Path | None = None,
        requirements: Path | None = None) -> subprocess.CompletedProcess[str]:
    """With an index that nobody serves: pip finds what lies on the shelf, or nothing."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:1/",
           "PIP_CONFIG_FILE": "/dev/null"}
    if shelf is not None:
        env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf)}
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); import swagger_ui, pathlib\n"
    if requirements is not None:
        program += f"swagger_ui.REQUIREMENTS = pathlib.Path({str(requirements)!r})\n"
    return subprocess.run([sys.executable, "-c", program + "sys.exit(swagger_ui.main())", str(PAGES),
                           str(out), *options], env=env, capture_output=True, text=True, timeout=120,
                          check=False)


def wheel(folder: Path) -> str:
    """A package of the right name with three small files; its digest."""
    folder.mkdir()
    file = folder / f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as package:
        for name in ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "swagger-ui-bundle.js.map"):
            package.writestr(INSIDE + name, f"this is {name}")
        package.writestr(f"{NAME}.dist-info/METADATA",
                         "Metadata-Version: 2.1\nName: drf-spectacular-sidecar\nVersion: 2026.10.1\n")
        package.writestr(f"{NAME}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        package.writestr(f"{NAME}.dist-info/RECORD", "")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_takes_three_files(tmp_path: Path) -> None:
    digest = wheel(tmp_path / "shelf")
    pinned = tmp_path / "requirements.txt"
    pinned.write_text(f"drf-spectacular-sidecar==2026.10.1 --hash=sha256:{digest}\n")
    done = run(tmp_path / "out", tmp_path, "--want", "yes", shelf=tmp_path / "shelf", requirements=pinned)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "by Swagger UI" in done.stdout
    assert {file.name: file.read_text() for file in (tmp_path / "out").iterdir()} == {
        "swagger-ui-bundle.js": "this is swagger-ui-bundle.js",
        "swagger-ui.css": "this is swagger-ui.css", "swagger-ui-license.txt": "this is LICENSE"}


@pytest.mark.parametrize("want, status", [("auto", 0), ("yes", 1)])
def test_another_package_of_that_name_is_refused(tmp_path: Path, want: str, status: int) -> None:
    wheel(tmp_path / "shelf")
    done = run(tmp_path / "out", tmp_path, "--want", want, shelf=tmp_path / "shelf")
    assert done.returncode == status
    assert "plain HTML: no Swagger UI" in done.stdout and "make swagger-ui" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("want, status", [("auto", 0), ("yes", 1)])
def test_nobody_answers(tmp_path: Path, want: str, status: int) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "swagger-ui-bundle.js").write_text("of another version")
    done = run(tmp_path / "out", tmp_path, "--want", want)
    assert done.returncode == status
    assert "plain HTML: no Swagger UI" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


def test_asks_nobody(tmp_path: Path) -> None:
    done = run(tmp_path / "out", tmp_path, "--want", "no")
    assert (done.returncode, done.stdout) == (0, "  docs  plain HTML, as asked for\n")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("on_board", [True, False])
def test_the_page_loads_what_is_on_board(tmp_path: Path, on_board: bool) -> None:
    folder = tmp_path / "swagger-ui"
    folder.mkdir()
    if on_board:
        (folder / "swagger-ui-bundle.js").write_text("it")
    subprocess.run([BUILD_PYTHON, PAGES / "docs.py", ROOT / "openapi.yaml", PAGES / "docs.html.j2",
                    tmp_path / "docs.html", "--swagger-ui", folder], check=True, timeout=60)
    page = (tmp_path / "docs.html").read_text()
    assert "POST /embed" in page
    assert ("swagger-ui-bundle.js" in page) == ("swagger-ui-license.txt" in page) == on_board


def test_every_byte_comes_through(tmp_path: Path) -> None:
    """embed.py spells files as C strings: trigraphs, quotes, digits after an escape, zeros."""
    data = bytes(range(256)) + b"\x001\x0012 ??= ?" + b'"\\' * 40 + bytes(range(255, -1, -1))
    (tmp_path / "bytes.txt").write_bytes(data)
    subprocess.run([sys.executable, PAGES / "embed.py", tmp_path / "table.c", tmp_path / "bytes.txt"],
                   check=True, timeout=60)
    (tmp_path / "main.c").write_text(
        '#include "http/assets.h"\n#include <stdio.h>\n'
        'int main(void) { fwrite(assets[0].plain.bytes, 1, assets[0].plain.n_bytes, stdout); return 0; }\n')
    subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'server'}", "table.c",
                    "main.c", "-o", "program"], cwd=tmp_path, check=True, timeout=60)
    shown = subprocess.run([tmp_path / "program"], capture_output=True, check=True, timeout=60)
    assert shown.stdout == data
