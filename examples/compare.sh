#!/bin/sh
# Are two recordings the same voice? With curl alone.
#
#   examples/compare.sh a.wav b.wav
#   examples/compare.sh a.json b.wav     a.json: a stored answer of /embed
#
# VOICEPRINTD_URL names the service (default http://127.0.0.1:8080), VOICEPRINTD_KEY its key.
# --retry waits out a full queue: the service answers 503 with Retry-After, and curl obeys it.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 FILE FILE" >&2; exit 2; }
url=${VOICEPRINTD_URL:-http://127.0.0.1:8080}

# name=@file, and for a stored answer its type: without that it would be taken for a recording.
part() {
    case $2 in *.json) echo "$1=@$2;type=application/json" ;; *) echo "$1=@$2" ;; esac
}
set -- -F "$(part a "$1")" -F "$(part b "$2")"
[ -z "${VOICEPRINTD_KEY:-}" ] || set -- "$@" -H "Authorization: Bearer $VOICEPRINTD_KEY"
# By way of a file: to a pipe, curl would also write what it was refused with before a retry. An
# error's problem document is shown like an answer; the exit status tells them apart.
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
status=0
curl -sS --fail-with-body --retry 5 --retry-max-time 60 -o "$answer" "$@" "$url/compare" || status=$?
cat "$answer"
exit $status
