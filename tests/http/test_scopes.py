"""What a key may do: scopes, and the collection that it is for."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from contract import judge
from service import problem, read_answer, voice
from voices import Voices, axis, serve

Ask = Callable[[Voices, str], requests.Response]
# What is asked of a service with a key, and of a collection by a query; and the scope it takes.
REQUESTS: dict[str, tuple[str, Ask]] = {
    "list": ("admin", lambda known, query: known.list(query)),
    "get": ("enrol", lambda known, query: known.get("ada", query)),
    "verify": ("identify", lambda known, query: known.verify("ada", axis(0, known.dim), query)),
    "identify": ("identify", lambda known, query: known.identify(axis(0, known.dim), query)),
    "put": ("enrol", lambda known, query: known.put("ada", [axis(1, known.dim)], query)),
    "add": ("enrol", lambda known, query: known.add("ada", [axis(0, known.dim)], query)),
    "delete a clip": ("enrol", lambda known, query: known.delete_clip("ada", 0, query)),
    "delete": ("enrol", lambda known, query: known.delete("ada", query)),
    "clear": ("admin", lambda known, query: known.clear(f"?confirm={query.removeprefix('?collection=') or 'acme'}&{query[1:]}".strip("&"))),
}
# In an order in which ada is there for each of them.
OF_VOICES = list(REQUESTS)


def write(tmp_path: Path, *lines: str) -> Path:
    keys = tmp_path / "keys"
    keys.write_text("".join(line + "\n" for line in lines))
    return keys


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    return answer.status_code, problem(answer), answer.json()["field"]


def body(answer: requests.Response) -> dict[str, Any]:
    """What it says, but for what every answer has another."""
    return {k: v for k, v in answer.json().items() if k not in ("request_id", "instance")}


def test_a_scope_for_each_endpoint(tmp_path: Path) -> None:
    scopes = ("embed", "identify", "enrol", "admin")
    keys = write(tmp_path, "everything", *(f"key-{scope} {scope}" for scope in scopes))
    with serve(tmp_path / "v.db", api_keys_file=keys) as service:
        everything = Voices(service, "everything")
        known = {scope: Voices(service, f"key-{scope}") for scope in scopes}
        for name, (wanted, ask) in REQUESTS.items():
            if name != "put":
                assert everything.put("ada", [axis(0, everything.dim)] * 2).ok
            query = "?collection=default"
            for scope in scopes:
                if scope != wanted:
                    assert refusal(ask(known[scope], query)) == (403, "forbidden-scope", wanted), (name, scope)
            assert ask(known[wanted], query).ok, name
        clip = {"file": ("a.wav", voice(1, 4))}
        pair = {"a": voice(1, 4), "b": voice(2, 4)}
        for path, files in (("/embed", clip), ("/compare", pair), ("/diarize", clip)):
            for scope in scopes:
                answer = service.post(path, files=files, headers=known[scope].key)
                judge(answer, path, "POST")
                assert answer.ok if scope == "embed" else refusal(answer) == (403, "forbidden-scope", "embed")


def test_the_refusal_says_what_is_wanted_before_the_body(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db", api_keys_file=write(tmp_path, "a-key embed")) as service:
        with service.raw() as connection:
            connection.sendall(b"PUT /voices/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-key\r\n"
                               b"Content-Length: 90000\r\nExpect: 100-continue\r\n\r\n")
            status, _, text = read_answer(connection)
        assert status == 403 and b"forbidden-scope" in text and b'scope \\"enrol\\"' in text


@pytest.mark.parametrize("name", OF_VOICES)
def test_a_key_of_a_collection_learns_nothing_of_others(tmp_path: Path, name: str) -> None:
    """Whether the other collection has this voice, has others or is none, the answer is one and the same."""
    ask = REQUESTS[name][1]
    with serve(tmp_path / "v.db", api_keys_file=write(tmp_path, "operator", "tenant collection=acme")) as service:
        operator, tenant = Voices(service, "operator"), Voices(service, "tenant")
        for voice_id, collection in (("ada", "rival"), ("ada", "default"), ("eve", "third")):
            assert operator.put(voice_id, [axis(0, operator.dim)] * 2, f"?collection={collection}").ok
        answers = [ask(tenant, f"?collection={other}") for other in ("rival", "default", "third", "nowhere")]
        assert [refusal(answer) for answer in answers] == [(403, "forbidden-collection", "collection")] * 4
        assert all(body(answer) == body(answers[0]) for answer in answers), "one of them told more"
        for voice_id, collection in (("ada", "rival"), ("ada", "default"), ("eve", "third")):
            assert operator.get(voice_id, f"?collection={collection}").json()["clips"] == 2, "nothing was changed there"


def test_a_key_of_a_collection_has_it_for_itself(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db", api_keys_file=write(tmp_path, "operator", "acme collection=acme", "rival collection=rival")) as service:
        operator, acme, rival = (Voices(service, key) for key in ("operator", "acme", "rival"))
        assert acme.put("ada", [axis(0, acme.dim)] * 2).json()["collection"] == "acme"
        assert rival.put("bob", [axis(0, acme.dim)]).json()["similar_voice"] is None, "it resembles one of the other collection"
        assert [v["id"] for v in acme.list().json()["voices"]] == ["ada"]
        assert acme.get("ada", "?collection=acme").ok and acme.get("bob").status_code == 404
        assert acme.identify(axis(0, acme.dim)).json()["identity"] == "ada"
        assert rival.identify(axis(0, acme.dim)).json()["identity"] == "bob"
        assert acme.verify("ada", axis(0, acme.dim)).ok and acme.verify("bob", axis(0, acme.dim)).status_code == 404
        assert operator.list().json()["voices"] == [] and len(operator.list("?collection=acme").json()["voices"]) == 1
        assert acme.clear("?confirm=acme").json()["deleted"] == 1 and acme.clear("?confirm=acme").json()["deleted"] == 0
        assert [v["id"] for v in rival.list().json()["voices"]] == ["bob"]


def test_rights_change_with_the_file(tmp_path: Path) -> None:
    keys = write(tmp_path, "a-key embed")
    with serve(tmp_path / "v.db", api_keys_file=keys) as service:
        known = Voices(service, "a-key")
        assert problem(known.list()) == "forbidden-scope"
        write(tmp_path, "a-key admin collection=acme")
        service.send_signal(signal.SIGHUP)
        service.wait_for(lambda: known.list().ok, 5, "the new rights")
        assert known.list().json()["collection"] == "acme"
        write(tmp_path, "a-key admin collection=acme everything")
        service.send_signal(signal.SIGHUP)
        service.wait_for(lambda: bool(service.log_lines("keys-refused")), 5, "a refusal")
        assert known.list().json()["collection"] == "acme", "the old rights stay"
        assert "a-key" not in service.log() and "everything" not in service.log()
