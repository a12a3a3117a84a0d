"""`make install` under another PREFIX: the programs find what was installed beside them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from conftest import DEADLINE_S, PROGRAM, ROOT


def test_an_installed_program_finds_its_model(tmp_path: Path) -> None:
    flavour, prefix = PROGRAM.parent.name, "/opt/voices"
    subprocess.run(["make", "-s", "install", f"FLAVOUR={flavour}", f"DESTDIR={tmp_path}", f"PREFIX={prefix}"], cwd=ROOT,
                   check=True, capture_output=True, timeout=4 * DEADLINE_S)
    root = tmp_path / prefix.lstrip("/")
    names = {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}
    assert names >= {"bin/voiceprint", "bin/voiceprintd", "share/voiceprintd/voiceprint.safetensors", "share/man/man1/voiceprint.1",
                     "share/man/man8/voiceprintd.8", "lib/systemd/system/voiceprintd.service"}
    environment = {k: v for k, v in os.environ.items() if k != "VOICEPRINT_MODEL"}
    info = subprocess.run([root / "bin/voiceprint", "info"], cwd=tmp_path, env=environment, capture_output=True, text=True,
                          check=True, timeout=DEADLINE_S)
    boxed = ROOT / "models/voiceprint.safetensors"
    assert json.loads(info.stdout)["untrained"] is not boxed.exists()
    for name in names:
        if name.startswith(("share/man", "lib")):
            text = (root / name).read_text()
            assert f"{prefix}/share/voiceprintd/voiceprint.safetensors" in text and "/usr/" not in text, name
    assert f"ExecStart={prefix}/bin/voiceprintd" in (root / "lib/systemd/system/voiceprintd.service").read_text()
