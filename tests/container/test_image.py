"""What the image is, and what it may do: asked from inside and from podman."""

from __future__ import annotations

import json
import re
import subprocess
import time

from load import embed
from podman import IMAGE, SCRATCH, Replica, podman

MAX_IMAGE_BYTES = 170 * 1000 * 1000
MODEL = "/usr/share/voiceprintd/voiceprint.safetensors"
SBOM = "/usr/share/voiceprintd/sbom.spdx.json"


def test_image_is_small_with_the_model():
    size = int(podman("inspect", "--format", "{{.Size}}", IMAGE))
    model = int(podman("run", "--rm", "--entrypoint", "stat", IMAGE, "-c", "%s",
                       MODEL))
    print(f"image: {size / 1e6:.1f} MB, of which the model {model / 1e6:.1f} MB")
    assert model > 1e6 and size <= MAX_IMAGE_BYTES


def test_image_metadata():
    inspected = json.loads(podman("inspect", IMAGE))[0]
    image = inspected["Config"]
    assert image["User"] == "65532:65532"
    assert image["Entrypoint"] == ["/usr/bin/voiceprintd"], "exec form: no shell in between"
    assert image["StopSignal"] == "SIGTERM"
    assert inspected["Healthcheck"]["Test"] == ["CMD", "/usr/bin/voiceprintd", "--probe"]
    labels = image["Labels"]
    for key in ("title", "description", "licenses", "version", "revision", "created"):
        assert labels[f"org.opencontainers.image.{key}"], key


def test_bill_of_materials_lists_every_package():
    document = json.loads(podman("run", "--rm", "--entrypoint", "cat", IMAGE, SBOM))
    listed = {p["name"]: p["versionInfo"] for p in document["packages"]}
    installed = podman("run", "--rm", "--entrypoint", "dpkg-query", IMAGE, "-W", "-f",
                       "${Package} ${Version}\n")
    for line in installed.splitlines():
        name, version = line.split()
        assert listed[name] == version
    assert len(listed) == len(installed.splitlines()) + 2 and {"voiceprintd", "ffmpeg"} <= set(listed)
    assert not {"gcc", "make", "libopenblas-dev"} & set(listed), "the compiler stayed behind"


# One recording for each demuxer and decoder of the image's own FFmpeg that ffmpeg can write.
MEDIA = ["aac -f ipod", "aac -f mp4 -movflags frag_keyframe+empty_moov", "alac -f ipod", "pcm_s16be -f mov", "libopus -f webm",
         "libvorbis -f matroska", "aac -f adts", "wmav1 -f asf", "wmav2 -f asf", "alac -f caf", "libmp3lame -f wav",
         "adpcm_ima_wav -f wav", "adpcm_ms -f w64", "libgsm_ms -ar 8000 -f wav", "flac -f ogg", "libspeex -f ogg"]


def test_its_own_ffmpeg_decodes_what_is_on_the_list(replica: Replica, clip: bytes):
    answers = {}
    for options in MEDIA:
        made = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", "-", "-c:a", *options.split(), "-y",
                               str(SCRATCH / "media")], input=clip, check=False, capture_output=True, timeout=60)
        assert made.returncode == 0, made.stderr
        answers[options] = embed(replica.address, (SCRATCH / "media").read_bytes())
    assert {status for status, _ in answers.values()} == {200}, {key: said for key, (status, said) in answers.items() if status != 200}


def test_not_root_and_nothing_writable(replica: Replica):
    status = replica.execute("cat", "/proc/1/status")
    assert re.search(r"^Uid:\s+65532\s+65532\s+65532\s+65532$", status, re.M), status
    assert re.search(r"^Gid:\s+65532\b", status, re.M)
    assert set(re.findall(r"^Cap(?:Inh|Prm|Eff|Bnd|Amb):\s+(\w+)$", status, re.M)) == {"0" * 16}
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert replica.execute("cat", "/proc/1/comm") == "voiceprintd", "the service is process 1"
    for folder in ("/", "/tmp", "/usr/share/voiceprintd", "/var/lib"):
        said = replica.execute("sh", "-c", f"touch {folder}/new 2>&1 || true")
        assert "Read-only file system" in said or "Permission denied" in said, f"{folder}: {said}"
    mounts = replica.execute("cat", "/proc/1/mounts")
    assert re.search(r"^overlay / overlay ro,", mounts, re.M)


def healthcheck(replica: Replica) -> tuple[int, str]:
    """Exit status of the last check, after one has run, and what it said."""
    podman("healthcheck", "run", replica.name, check=False)
    last = replica.state()["Health"]["Log"][-1]
    return last["ExitCode"], last["Output"]


def test_healthcheck_follows_the_service(replica: Replica):
    assert healthcheck(replica) == (0, "")
    replica.kill("STOP")
    try:
        status, said = healthcheck(replica)
        assert status != 0 and "not ready" in said
    finally:
        replica.kill("CONT")
    assert healthcheck(replica) == (0, "")


def test_sigterm_drains_and_ends_with_zero(replica: Replica, clip: bytes):
    assert embed(replica.address, clip)[0] == 200
    begin = time.monotonic()
    assert replica.stop() == 0
    assert 1 <= time.monotonic() - begin < 10, "drain_delay_s is 1 here"
