#!/usr/bin/env python3
"""Writes the files of the pages as one C source: the table `assets` of server/http/assets.h.

Each file becomes {path, content type, plain form, compressed form}, a form being {entity tag, bytes, size};
the second is empty where compression saves less than a tenth. The path is where it is served:
index.html at /, docs.html at /docs, openapi.yaml under its own name, the rest under /pages/.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
from pathlib import Path

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".yaml": "application/yaml",
}
AT_TOP = {"index.html": "/", "docs.html": "/docs", "openapi.yaml": "/openapi.yaml"}
PER_LINE = 60
# Every byte as C spells it in a string: `?` would begin a trigraph, and an octal escape of three
# digits ends by itself. Strings compile ten times as fast as lists of numbers.
SPELLED = [chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in range(256)]


def literal(data: bytes) -> str:
    lines = (data[i:i + PER_LINE] for i in range(0, len(data), PER_LINE))
    return "\n".join('    "' + "".join(SPELLED[byte] for byte in line) + '"' for line in lines)


def source(files: list[Path]) -> str:
    parts = ["/* Made by tools/pages/embed.py; edit the files it was made from. */", '#include "http/assets.h"', ""]
    table = []
    for i, file in enumerate(sorted(files, key=lambda f: f.name)):
        data = file.read_bytes()
        if not data:
            raise SystemExit(f"{file} is empty")
        tag = hashlib.sha256(data).hexdigest()[:16]
        path = AT_TOP.get(file.name, f"/pages/{file.name}")
        parts += [f"static const unsigned char file_{i}[{len(data)}] =", literal(data) + ";", ""]
        packed = gzip.compress(data, 9, mtime=0)
        forms = [f'{{"\\"{tag}\\"", file_{i}, sizeof file_{i}}}', "{NULL, NULL, 0}"]
        if len(packed) < 0.9 * len(data):
            parts += [f"static const unsigned char gzip_{i}[{len(packed)}] =", literal(packed) + ";", ""]
            forms[1] = f'{{"\\"{tag}-gzip\\"", gzip_{i}, sizeof gzip_{i}}}'
        table.append(f'    {{"{path}", "{TYPES[file.suffix]}", {", ".join(forms)}}},')
    parts += ["const struct asset assets[] = {", *table, "};",
              f"const size_t n_assets = {len(table)};", ""]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="C source to write")
    parser.add_argument("files", type=Path, nargs="+", help="what to embed")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(source(args.files), encoding="ascii")


if __name__ == "__main__":
    main()
