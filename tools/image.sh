#!/bin/sh
# Builds docker/Dockerfile as the image `voiceprintd`, with docker where a daemon answers, else podman.
set -eu
cd "$(dirname "$0")/.."

# Only podman has the two options: its own image format drops the HEALTHCHECK, and it does not look
# for Dockerfile.dockerignore by itself.
if docker info >/dev/null 2>&1; then
    set -- docker build
elif command -v podman >/dev/null; then
    set -- podman build --format docker --ignorefile docker/Dockerfile.dockerignore
else
    echo "neither a docker daemon nor podman is here: install one (apt-get install podman)" >&2
    exit 1
fi
exec "$@" -f docker/Dockerfile -t voiceprintd \
    --build-arg VERSION="${VERSION:-unknown}" \
    --build-arg SEGMENTATION="${SEGMENTATION:-auto}" \
    --build-arg MODEL="${MODEL:-voiceprint}" \
    --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --build-arg CREATED="$(date -u +%Y-%m-%dT%H:%M:%SZ)" .
