"""The Debian package in a bare container, and every configuration file under its own checker."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest
from balancer import UNPACKED, Haproxy, Prometheus, free_port
from load import embed
from podman import BASE, ROOT, SCRATCH, podman

CHECKERS = SCRATCH / "checkers/bin"


def run(*command: str | Path) -> str:
    """Output of a checker that must be content."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, text=True, timeout=120, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_dockerfile_passes_hadolint():
    assert run(CHECKERS / "hadolint", "docker/Dockerfile") == ""


def test_kubernetes_objects_match_their_schemas(tmp_path: Path):
    run(CHECKERS / "kubernetes-validate", "--strict", "config/kubernetes.yaml")
    # The checker must be able to fail.
    broken = tmp_path / "broken.yaml"
    broken.write_text((ROOT / "config/kubernetes.yaml").read_text().replace("maxSurge", "maxSurprise"))
    with pytest.raises(AssertionError):
        run(CHECKERS / "kubernetes-validate", "--strict", broken)


def test_grace_periods_cover_the_drain():
    """drain_delay_s + drain_timeout_s must fit wherever something ends the service."""
    _, manual = (ROOT / "docs/man/voiceprintd.8").read_text().split(".Sh CONFIGURATION")
    default = {key: float(re.search(rf"\.It Cm {key}\n.*?Default: (\d+)", manual, re.S)[1])
               for key in ("drain_delay_s", "drain_timeout_s")}
    needed = sum(default.values())
    for name, pattern in (("config/kubernetes.yaml", r"terminationGracePeriodSeconds: (\d+)"),
                          ("docker/compose.yaml", r"stop_grace_period: (\d+)s"),
                          ("config/voiceprintd.service", r"TimeoutStopSec=(\d+)")):
        assert float(re.search(pattern, (ROOT / name).read_text())[1]) > needed, name


def test_prometheus_configuration():
    run(UNPACKED / "usr/bin/promtool", "check", "config", ROOT / "config/prometheus.yml")


def test_systemd_unit_is_sound_and_tight(tmp_path: Path):
    unit = tmp_path / "voiceprintd.service"
    unit.write_text((ROOT / "config/voiceprintd.service").read_text()
                    .replace("/usr/bin/voiceprintd", "/bin/true"))
    run("systemd-analyze", "verify", "--man=no", unit)
    run("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", unit)


@pytest.mark.parametrize("page", ["voiceprint.1", "voiceprintd.8"])
def test_manual_page_has_no_error(page: str):
    run("mandoc", "-T", "lint", "-W", "warning", f"docs/man/{page}")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`make deb` as built inside the image's build stage would be: here, from this tree."""
    for old in (ROOT / "build").glob("voiceprintd_*.deb"):
        old.unlink()
    run("make", "deb")
    folder = tmp_path_factory.mktemp("deb")
    shutil.copy(next((ROOT / "build").glob("voiceprintd_*.deb")), folder / "voiceprintd.deb")
    folder.chmod(0o755)
    return folder


def status_of(address: str, clip: bytes) -> int:
    """Of one embedding; 0 while nobody listens."""
    try:
        return embed(address, clip)[0]
    except OSError:
        return 0


def test_package_installs_and_serves_on_a_bare_debian(package: Path, clip: bytes):
    port = free_port()
    podman("rm", "-f", "-i", "-t", "0", "voiceprintd-deb")
    podman("run", "-d", "--name=voiceprintd-deb", "--pull=never", "--network=host",
           f"--volume={package}:/package:ro", BASE, "sh", "-ec",
           "apt-get update -q; apt-get install -q -y --no-install-recommends /package/voiceprintd.deb;"
           f"exec voiceprintd --listen=127.0.0.1:{port} --model=/usr/share/voiceprintd/voiceprint.safetensors")
    try:
        deadline = time.monotonic() + 150
        while (status := status_of(f"127.0.0.1:{port}", clip)) != 200:
            log = podman("logs", "voiceprintd-deb")
            assert time.monotonic() < deadline, f"{status}: {log[-2000:]}"
            assert podman("inspect", "--format", "{{.State.Running}}", "voiceprintd-deb") == "true", log
            time.sleep(0.5)
        listed = podman("exec", "voiceprintd-deb", "dpkg", "-L", "voiceprintd")
        for path in ("/usr/bin/voiceprint", "/lib/systemd/system/voiceprintd.service",
                     "/usr/share/voiceprintd/voiceprint.safetensors"):
            assert path in listed.splitlines()
        assert podman("exec", "voiceprintd-deb", "voiceprintd", "--version")
    finally:
        podman("rm", "-f", "-t", "0", "voiceprintd-deb")


@pytest.mark.parametrize(("page", "program"), [("voiceprint.1", "voiceprint"),
                                               ("voiceprintd.8", "voiceprintd")])
def test_manual_page_knows_every_option(page: str, program: str):
    """Options and keys that --help prints, against those of the manual page."""
    manual = (ROOT / "docs/man" / page).read_text()
    said = run(ROOT / "build/release" / program, "--help")
    if program == "voiceprint":
        commands = re.findall(r"^  ([a-z]+)  ", said, re.M)
        assert len(commands) > 3
        said += "".join(run(ROOT / "build/release" / program, command, "--help") for command in commands)
    options = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", said))
    missing = [o for o in options if not re.search(rf"Fl -{o}\b|Cm {o.replace('-', '_')}\b", manual)]
    keys = re.findall(r"^  ([a-z_]+) {2,}\S", said, re.M)
    missing += [key for key in keys if not re.search(rf"Cm {key}\b", manual)]
    assert missing == []


def test_dashboard_asks_for_metrics_that_exist(replicas, haproxy: Haproxy, clip: bytes):
    """Every expression of the dashboard is understood by Prometheus and names real series."""
    dashboard = json.loads((ROOT / "config/grafana.json").read_text())
    queries = [t["expr"] for p in dashboard["panels"] for t in p["targets"]]
    queries += [a["expr"] for a in dashboard["annotations"]["list"]]
    assert len(queries) > 15
    for replica in replicas:
        assert embed(replica.address, clip)[0] == 200
    served = replicas[0].get("/metrics")[1]
    with Prometheus(replicas, haproxy) as prometheus:
        for query in queries:
            for variable, value in (("$instance", ".*"), ("$__rate_interval", "30s"), ("$__range", "1h")):
                query = query.replace(variable, value)
            answer = prometheus.get("/api/v1/query?" + urllib.parse.urlencode({"query": query}))
            assert json.loads(answer)["status"] == "success", query
            for name in re.findall(r"\b(?:voiceprintd|process)_[a-z_]+", query):
                assert re.search(rf"^{name}[{{ ]", served, re.M), f"no metric {name}"
