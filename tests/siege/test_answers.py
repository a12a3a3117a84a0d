"""Answers that take long to write: a worker does that, the loop only hands them out.

The transcript of a long talk stands for the thousands of turns of one: both were put into JSON by the loop, 15 ms
for half an hour of talk and more for what is here. The fixture judges the loop's turns when the file is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import attackers
import pytest
from conversation import CALL, NDJSON
from service import Service

CUE = "{i}\n00:00:{s:02d},000 --> 00:00:{s:02d},900\nsaid \"and\" heard\n\n"
TRANSCRIPT = "".join(CUE.format(i=i, s=i % 12) for i in range(1, 120_000))[:7 << 20].rsplit("\n\n", 1)[0] + "\n"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(workers=2) as running:
        yield running
        attackers.judge_turns(running)


@pytest.mark.parametrize("form", ["json", "lines", "transcript", "text"])
def test_a_long_answer(service: Service, form: str) -> None:
    query = f"?format={form}" if form in ("transcript", "text") else ""
    files = {"file": ("call.wav", CALL), "transcript": ("call.srt", TRANSCRIPT)}
    probe = attackers.Probe(service)
    answer = service.post("/diarize" + query, files=files, headers=NDJSON if form == "lines" else {})
    probe.stop().judge()
    assert answer.status_code == 200 and len(answer.content) > len(TRANSCRIPT) // 4
    if not query:
        told = json.loads(answer.text.splitlines()[-1])
        assert told["transcript"]["content"].count("said") == TRANSCRIPT.count("said")
        assert told["request_id"] == answer.headers["X-Request-Id"]
        timing = told["timing_ms"]
        assert 0 < timing["queue"] + timing["work"] <= timing["total"]
    assert service.metric("voiceprintd_stage_duration_seconds_sum", stage="encode") > 0
