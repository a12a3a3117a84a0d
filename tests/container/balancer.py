"""haproxy, nginx and Prometheus as plain processes with the project's own configuration files.

Their Debian packages are unpacked into build/container, not installed: no service of the machine
starts. Of each configuration only the addresses change. Run as a program it unpacks the packages named.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from podman import ROOT, SCRATCH

PACKAGES = ("haproxy", "nginx", "prometheus")
UNPACKED = SCRATCH / "packages"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unpack(packages: Sequence[str] = PACKAGES) -> None:
    """Downloads the packages with the libraries this machine lacks, and unpacks them."""
    done = [UNPACKED / f".done-{package}" for package in packages]
    if all(mark.exists() for mark in done):
        return
    archives = SCRATCH / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    (archives / "partial").mkdir(parents=True)
    subprocess.run(
        ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", f"Dir::Cache::archives={archives}",
         "-o", "APT::Keep-Downloaded-Packages=true", "install", "--reinstall", "--download-only",
         "--no-install-recommends", *packages], check=True, timeout=300, stdout=subprocess.DEVNULL)
    for archive in archives.glob("*.deb"):
        if not re.match(r"libc6_|libjs-|fonts-", archive.name):
            subprocess.run(["dpkg-deb", "-x", archive, UNPACKED], check=True)
    shutil.rmtree(archives)
    for mark in done:
        mark.touch()


def localised(config: str, addresses: dict[str, str]) -> str:
    """A file of config/ with addresses replaced; each must be there."""
    text = (ROOT / "config" / config).read_text()
    for old, new in addresses.items():
        assert old in text, f"{config}: no {old}"
        text = text.replace(old, new)
    return text


class Process:
    """A server in its own folder, ended with the block."""

    def __init__(self, name: str, config: str, text: str, command: list[str], port: int) -> None:
        self.folder = SCRATCH / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / config).write_text(text)
        self.folder.chmod(0o755)
        self.command, self.port = command, port
        libraries = UNPACKED / "usr/lib" / (os.uname().machine + "-linux-gnu")
        self.environment = dict(os.environ, LD_LIBRARY_PATH=str(libraries))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, env=self.environment,
                                            stdout=log, stderr=log)
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.__exit__()
                    log = (self.folder / "log").read_text()
                    raise RuntimeError(f"{self.command[0]}: {error}: {log}") from error
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path: str, port: int = 0) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{path}", timeout=5) as reply:
            return reply.read().decode()

    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def servers(replicas: list) -> dict[str, str]:
    return {f"voiceprintd-{i}:8080": replica.address for i, replica in enumerate(replicas, 1)}


class Haproxy(Process):
    def __init__(self, replicas: list) -> None:
        port, self.admin_port = free_port(), free_port()
        text = localised("haproxy.cfg", {**servers(replicas), "bind :8080": f"bind 127.0.0.1:{port}",
                                         "bind :8404": f"bind 127.0.0.1:{self.admin_port}"})
        super().__init__("haproxy", "haproxy.cfg", text,
                         [str(UNPACKED / "usr/sbin/haproxy"), "-db", "-f", "haproxy.cfg"], port)

    def replica(self, i: int) -> dict[str, str]:
        """The statistics of server voiceprintd-i: status, scur, stot, eresp, ..."""
        for row in csv.DictReader(io.StringIO(self.get("/;csv", self.admin_port))):
            if row["svname"] == f"voiceprintd-{i}":
                return row
        raise KeyError(i)

    def wait_status(self, i: int, status: str, deadline_s: float = 15) -> None:
        end = time.monotonic() + deadline_s
        while not self.replica(i)["status"].startswith(status):
            assert time.monotonic() < end, f"voiceprintd-{i} not {status} in {deadline_s} s"
            time.sleep(0.05)


class Nginx(Process):
    def __init__(self, replicas: list) -> None:
        port = free_port()
        text = localised("nginx.conf", {**servers(replicas), "listen 8080": f"listen 127.0.0.1:{port}"})
        super().__init__("nginx", "nginx.conf", text,
                         [str(UNPACKED / "usr/sbin/nginx"), "-p", str(SCRATCH / "nginx"), "-c",
                          "nginx.conf", "-e", "stderr", "-g", "daemon off;"], port)


class Prometheus(Process):
    def __init__(self, replicas: list, haproxy: Haproxy) -> None:
        port = free_port()
        text = localised("prometheus.yml", {**servers(replicas), "5s": "1s",
                                            "haproxy:8404": f"127.0.0.1:{haproxy.admin_port}"})
        super().__init__("prometheus", "prometheus.yml", text,
                         [str(UNPACKED / "usr/bin/prometheus"), "--config.file=prometheus.yml",
                          "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}"], port)

    def __enter__(self) -> Prometheus:
        super().__enter__()
        end = time.monotonic() + 20
        while True:  # it listens before its storage is open, and answers 503 meanwhile
            try:
                self.get("/-/ready")
                return self
            except OSError:
                if time.monotonic() > end:
                    self.__exit__()
                    raise
                time.sleep(0.1)


if __name__ == "__main__":
    unpack(sys.argv[1:] or PACKAGES)
