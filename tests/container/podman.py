"""podman with a configuration of its own, far from the machine's: images, containers, their state.

Everything lives in build/container: storage, the base image, the balancers. Settings are those that
work without systemd, without a bridge network and on hybrid cgroups (runc, cgroupfs, host network).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCRATCH = ROOT / "build" / "container"
BASE = "localhost/debian:bookworm-slim"
IMAGE = "localhost/voiceprintd:test"

CONFIGS = {
    "storage.conf": '[storage]\ndriver = "overlay"\ngraphroot = "{0}/graph"\nrunroot = "{0}/run"\n',
    "containers.conf": '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
                       'netns = "host"\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
                       'events_logger = "file"\ntmp_dir = "{0}/tmp"\n',
    # A short name (FROM debian:bookworm-slim) can then only mean the image imported here.
    "registries.conf": "unqualified-search-registries = []\n",
}


class ContainerError(Exception):
    """A podman command failed; the message ends with what it said."""


def environment() -> dict[str, str]:
    return dict(os.environ, CONTAINERS_CONF=str(SCRATCH / "containers.conf"),
                CONTAINERS_STORAGE_CONF=str(SCRATCH / "storage.conf"),
                CONTAINERS_REGISTRIES_CONF=str(SCRATCH / "registries.conf"))


def podman(*args: str, timeout_s: float = 60, check: bool = True) -> str:
    """Runs one podman command; its stdout. On hybrid cgroups conmon drops a file `oom` into the
    folder it is started from when the kernel kills a container for memory, hence SCRATCH."""
    done = subprocess.run(["podman", *args], env=environment(), cwd=SCRATCH, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout_s)
    if check and done.returncode != 0:
        raise ContainerError(f"podman {' '.join(args)}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def prepare() -> None:
    """Writes the scratch configuration."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    for name, text in CONFIGS.items():
        (SCRATCH / name).write_text(text.format(SCRATCH))


def has_image(name: str) -> bool:
    return bool(podman("images", "-q", name))


def import_base() -> None:
    """The base image out of Debian's own archive, trimmed as the published slim one is."""
    if has_image(BASE):
        return
    tar = SCRATCH / "base.tar"
    excludes = [f"path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info")]
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "--include=usr-is-merged",
         "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
         # A mirror may be a frozen snapshot.
         '--aptopt=Acquire::Check-Valid-Until "false"',
         # No fsync for every file of an image that is thrown away.
         "--dpkgopt=force-unsafe-io",
         *(f"--dpkgopt={exclude}" for exclude in excludes),
         "--dpkgopt=path-include=/usr/share/doc/*/copyright", "bookworm", str(tar)],
        check=True, timeout=600)
    podman("import", str(tar), BASE, timeout_s=120)
    tar.unlink()


def build(version: str) -> None:
    """Builds the unchanged Dockerfile; the output goes to the terminal."""
    subprocess.run(
        ["podman", "build", "--format", "docker", "--pull=never", "--network", "host",
         "--ignorefile", "docker/Dockerfile.dockerignore", "--build-arg", f"VERSION={version}",
         "-f", "docker/Dockerfile", "-t", IMAGE, "."],
        env=environment(), cwd=ROOT, check=True, timeout=1800)


@dataclass
class Replica:
    """One container of the image on its own loopback port, locked down as compose.yaml has it."""

    name: str
    port: int
    memory_mib: int = 0
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def create(self) -> None:
        self.remove()
        limits = [f"--memory={self.memory_mib}m"] if self.memory_mib else []
        settings = {"LISTEN": self.address, "WORKERS": "1", **self.settings}
        podman("run", "-d", "--name", self.name, "--pull=never", "--network=host", "--read-only",
               "--read-only-tmpfs=false",
               "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=128", *limits,
               *(f"--env=VOICEPRINTD_{key}={value}" for key, value in settings.items()), IMAGE)

    def start(self) -> None:
        podman("start", self.name)

    def stop(self) -> int:
        """SIGTERM, the drain, and the exit status. SIGKILL comes only after 30 s."""
        podman("stop", "-t", "30", self.name)
        return self.state()["ExitCode"]

    def kill(self, signal: str) -> None:
        podman("kill", "--signal", signal, self.name)

    def state(self) -> dict:
        return json.loads(podman("inspect", "--format", "{{json .State}}", self.name))

    def execute(self, *command: str) -> str:
        return podman("exec", self.name, *command)

    def logs(self) -> str:
        done = subprocess.run(["podman", "logs", self.name], env=environment(), text=True, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout

    def remove(self) -> None:
        podman("rm", "-f", "-i", "-t", "0", self.name)

    def get(self, path: str, timeout_s: float = 2) -> tuple[int, str]:
        """Status and body; status 0 when nobody answered."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=timeout_s) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, deadline_s: float = 30) -> None:
        end = time.monotonic() + deadline_s
        while self.get("/readyz")[0] != 200:
            if time.monotonic() > end:
                raise ContainerError(f"{self.name} not ready in {deadline_s} s: {self.logs()[-2000:]}")
            time.sleep(0.05)
