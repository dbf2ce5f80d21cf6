"""The way to an OpenAI-compatible endpoint: what comes back becomes an answer or a reason, and no secret gets out."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar

import certifi
import pytest

from acbench.errors import AcbenchError
from acbench.integrations.openai.chat import MAX_TEXT, OpenAIChat, chat_openai
from acbench.integrations.openai.client import MAX_BODY
from acbench.integrations.openai.endpoint import KEY, Endpoint, authorities
from acbench.integrations.openai.tokens import picture_tokens
from acbench.predictors.llm.messages import LlmError, Picture, Price, Question, RequestOptions
from acbench.testing import tiny_jpeg, tiny_png
from acbench.testing.endpoint import (
    ANSWER,
    PRICE_IN,
    PRICE_OUT,
    FakeEndpoint,
    Fault,
    changed_choice,
    question_text,
    refusal,
)

SECRET = "sk-test-5ecret-0123456789"
QUESTION = Question(
    system="You look.",
    parts=("What is this?", Picture(data=tiny_png(), media_type="image/png"), "Say."),
    schema={"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}}},
)
GOOD_BODY = {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}], "model": "m-1"}


@pytest.fixture
def server() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as running:
        yield running


def chat(server: FakeEndpoint, timeout: float = 60.0) -> OpenAIChat:
    """A chat whose dialect is known, so that a refusal is a refusal."""
    made = chat_openai("m", server.url, price=Price(PRICE_IN, PRICE_OUT), timeout=timeout)
    made.settled = True
    return made


def failure(server: FakeEndpoint, fault: Fault, timeout: float = 60.0) -> LlmError:
    server.plan = lambda number, text: fault
    with pytest.raises(LlmError) as caught:
        chat(server, timeout).ask(QUESTION)
    return caught.value


class TestAnswers:
    def test_a_question_is_sent_whole_and_in_order(self, server: FakeEndpoint) -> None:
        answer = chat(server).ask(QUESTION)
        assert (answer.text, answer.model, answer.finish) == (json.dumps(ANSWER), "m-2026-01-01", "stop")
        assert (answer.tokens_in, answer.tokens_out) == (17 // 4 + 255, 30)
        (body,) = server.requests
        system, user = body["messages"]
        assert system == {"role": "system", "content": "You look."}
        assert [part["type"] for part in user["content"]] == ["text", "image_url", "text"]
        assert user["content"][1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
        assert (body["temperature"], body["seed"], body["max_tokens"]) == (0, 0, 400)
        form = body["response_format"]["json_schema"]
        assert form["strict"] and list(form["schema"]["properties"]) == ["b", "a"]

    def test_many_threads_may_ask(self, server: FakeEndpoint) -> None:
        server.latency = 0.02
        server.answer = question_text
        asked = chat(server)
        questions = [replace(QUESTION, parts=(f"{number}",)) for number in range(64)]
        with ThreadPoolExecutor(16) as pool:
            assert [each.text for each in pool.map(asked.ask, questions)] == [f"{number}" for number in range(64)]

    def test_what_an_endpoint_leaves_out_is_estimated_or_empty(self, server: FakeEndpoint) -> None:
        server.plan = lambda number, text: Fault(body=json.dumps(GOOD_BODY).encode())
        asked = chat(server)
        answer = asked.ask(QUESTION)
        assert (answer.tokens_in, answer.tokens_out) == (asked.tokens(QUESTION), 400)

    @pytest.mark.parametrize("usage", [None, [], "much", {"prompt_tokens": -5}, {"prompt_tokens": "9"}, {"x": {}}])
    def test_a_usage_that_makes_no_sense_is_estimated(self, server: FakeEndpoint, usage: object) -> None:
        server.plan = lambda number, text: Fault(body=json.dumps({**GOOD_BODY, "usage": usage}).encode())
        asked = chat(server)
        assert asked.ask(QUESTION).tokens_in == asked.tokens(QUESTION)

    def test_log_probabilities_that_do_not_come_are_missed(self, server: FakeEndpoint) -> None:
        asked = chat_openai("m", server.url, options=RequestOptions(logprobs=True))
        assert "--llm-logprobs changes nothing" in asked.ask(QUESTION).warning
        content = [{"token": "yes", "logprob": -0.25}]
        server.plan = lambda number, text: changed_choice(logprobs={"content": content})
        answer = asked.ask(QUESTION)
        assert (answer.token_logprobs, answer.warning) == ((("yes", -0.25),), "")

    def test_a_flood_is_cut_and_counts_as_ended_by_its_length(self, server: FakeEndpoint) -> None:
        server.answer = lambda body: "x" * 100_000
        answer = chat(server).ask(QUESTION)
        assert (len(answer.text), answer.finish) == (MAX_TEXT, "length")

    def test_half_a_character_is_replaced(self, server: FakeEndpoint) -> None:
        server.answer = lambda body: "half \ud83d"
        assert chat(server).ask(QUESTION).text == "half ?"

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_compression_that_nobody_asked_for_is_undone(self, server: FakeEndpoint, encoding: str) -> None:
        pack = gzip.compress if encoding == "gzip" else zlib.compress
        server.plan = lambda number, text: Fault(
            body=lambda good: pack(json.dumps(good).encode()), headers={"content-encoding": encoding}
        )
        assert chat(server).ask(QUESTION).text == json.dumps(ANSWER)
        assert server.headers[0]["accept-encoding"] == "identity"

    def test_but_no_further_than_an_answer_may_be_long(self, server: FakeEndpoint) -> None:
        bomb = gzip.compress(b"[" * 50_000_000)
        assert len(bomb) < 100_000
        error = failure(server, Fault(body=bomb, headers={"content-encoding": "gzip"}))
        assert error.kind == "refused" and "more than" in error.message

    def test_a_compression_that_is_not_known_is_named(self, server: FakeEndpoint) -> None:
        error = failure(server, Fault(body=b"xxxx", headers={"content-encoding": "br"}))
        assert error.kind == "account" and "compressed with br" in error.message
        error = failure(server, Fault(body=b"xxxx", headers={"content-encoding": "gzip"}))
        assert error.kind == "server" and "is not" in error.message


BROKEN: dict[str, tuple[Fault, str, bool]] = {
    "unauthorised": (refusal(401), "auth", False),
    "forbidden": (refusal(403), "auth", False),
    "no credit": (refusal(429, code="insufficient_quota"), "account", False),
    "too many": (refusal(429), "rate_limit", False),
    "busy": (refusal(503), "rate_limit", False),
    "overloaded": (refusal(529), "rate_limit", False),
    "bad request": (refusal(400), "refused", False),
    "no such model": (refusal(404), "account", False),
    "too large": (refusal(413), "refused", False),
    "unprocessable": (refusal(422), "refused", False),
    "conflict": (refusal(409), "server", False),
    "request timeout": (refusal(408), "timeout", True),
    "internal": (refusal(500), "server", False),
    "bad gateway": (refusal(502), "server", True),
    "gateway timeout": (refusal(504), "server", True),
    "no credit at a router": (refusal(402), "account", False),
    "no such model at a router": (refusal(400, "x/y is not a valid model ID"), "account", False),
    "no key as a bad request": (refusal(400, "API key not valid. Please pass a valid API key."), "auth", False),
    "flagged": (refusal(403, "Input was flagged", metadata={"flagged_input": "x"}), "filtered", False),
    "http to https": (Fault(status=400, body=b"Client sent an HTTP request to an HTTPS server.\n"), "account", False),
    "wrong path": (Fault(status=404, body=b"<html>nginx</html>"), "account", False),
    "too many, with 200": (Fault(body=b'{"error": {"code": 429, "message": "slow down"}}'), "rate_limit", False),
    "blocked, with 200": (Fault(body=b'{"promptFeedback": {"blockReason": "SAFETY"}}'), "filtered", False),
    "odd status": (refusal(599), "server", False),
    "redirect": (Fault(status=302, headers={"location": "http://127.0.0.1:1/v1"}, body=b""), "account", False),
    "permanent redirect": (Fault(status=308, headers={"location": "/v1/other"}, body=b""), "account", False),
    "error page": (Fault(status=500, body=b"<html>oops</html>"), "server", False),
    "error that is a list": (Fault(status=500, body=b"[1]"), "server", False),
    "error of null": (Fault(status=400, body=b'{"error": null}'), "refused", False),
    "error in bad utf-8": (Fault(status=500, body=b"\xff\xfe{"), "server", False),
    "empty body": (Fault(body=b""), "server", True),
    "not json": (Fault(body=b"hello"), "server", True),
    "html": (Fault(body=b"<html>", headers={"content-type": "text/html"}), "server", True),
    "truncated json": (Fault(body=json.dumps(GOOD_BODY).encode()[:-9]), "server", True),
    "bad utf-8": (Fault(body=b'{"choices": "\xff\xfe"}'), "server", False),
    "deep json": (Fault(body=b"[" * 100_000), "server", True),
    "null": (Fault(body=b"null"), "server", True),
    "list": (Fault(body=b"[]"), "server", True),
    "number": (Fault(body=b"1e999"), "server", True),
    "no choices": (Fault(body=b'{"choices": []}'), "server", False),
    "choices of null": (Fault(body=b'{"choices": null}'), "server", False),
    "choice of null": (Fault(body=b'{"choices": [null]}'), "server", False),
    "error with 200": (Fault(body=b'{"error": {"message": "overloaded"}}'), "server", False),
    "no message": (Fault(body=b'{"choices": [{}]}'), "refused", True),
    "message of text": (Fault(body=b'{"choices": [{"message": "yes"}]}'), "refused", True),
    "content of null": (changed_choice(message={"content": None}), "refused", True),
    "content of other parts": (changed_choice(message={"content": [{"type": "audio", "data": "x"}]}), "refused", True),
    "empty content": (changed_choice(message={"content": ""}), "refused", True),
    "blank content": (changed_choice(message={"content": " \n"}), "refused", True),
    "refusal": (changed_choice(message={"refusal": "I cannot", "content": None}), "filtered", True),
    "content filter": (changed_choice(finish_reason="content_filter"), "filtered", True),
    "only thoughts": (changed_choice(finish_reason="length", message={"content": ""}), "length", True),
    "reset before": (Fault(reset=True), "connection", True),
    "reset within": (Fault(cut_after=40, reset=True), "connection", True),
    "cut off within": (Fault(cut_after=40), "connection", True),
    "too long": (Fault(body=b" " * (MAX_BODY + 1)), "refused", True),
    "late": (Fault(wait=3.0), "timeout", True),
    "trickle": (Fault(seconds_per_byte=0.05), "timeout", True),
}


class TestFaults:
    @pytest.mark.parametrize("name", BROKEN)
    def test_each_has_its_kind_and_says_who_did_it(self, server: FakeEndpoint, name: str) -> None:
        fault, kind, may_cost = BROKEN[name]
        error = failure(server, fault, timeout=1.0 if kind == "timeout" else 60.0)
        assert (error.kind, error.may_cost) == (kind, may_cost)
        assert error.message.isprintable() and 0 < len(error.message) < 500
        assert len(server.requests) == 1, "the client does not try again by itself"

    def test_nobody_there(self) -> None:
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{place.getsockname()[1]}/v1"
            with pytest.raises(LlmError) as caught:
                chat_openai("m", url).ask(QUESTION)
        assert (caught.value.kind, caught.value.may_cost) == ("connection", False)
        assert caught.value.hint

    @pytest.mark.parametrize("noise", [b"", b"\x00" * 500, b"HTTP/1.1 999 what\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n"])
    def test_something_that_does_not_speak_http(self, noise: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as place:

            def speak() -> None:
                connection, _ = place.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(noise)

            threading.Thread(target=speak, daemon=True).start()
            url = f"http://127.0.0.1:{place.getsockname()[1]}/v1"
            with pytest.raises(LlmError) as caught:
                chat_openai("m", url, timeout=20.0).ask(QUESTION)
        assert caught.value.retryable

    @pytest.mark.parametrize("status", [429, 503, 500])
    @pytest.mark.parametrize(
        ("headers", "low", "high"),
        [
            ({"retry-after": "7"}, 7, 7),
            ({"retry-after": "0.5"}, 0.5, 0.5),
            ({"retry-after": "-3"}, 0, 0),
            ({"retry-after-ms": "1500", "retry-after": "99"}, 1.5, 1.5),
            ({"retry-after": "DATE"}, 100, 300),
            ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0, 0),
            ({"retry-after": "soon"}, None, None),
            ({"retry-after": "nan"}, None, None),
            ({"retry-after": "inf"}, None, None),
            ({"retry-after": ""}, None, None),
            ({}, None, None),
        ],
    )
    def test_retry_after_in_either_form(
        self, server: FakeEndpoint, status: int, headers: dict[str, str], low: float | None, high: float | None
    ) -> None:
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
        headers = {name: value.replace("DATE", soon) for name, value in headers.items()}
        wait = failure(server, refusal(status, headers=headers)).retry_after
        if low is None or high is None:
            assert wait is None
        else:
            assert wait is not None and low <= wait <= high

    def test_a_slow_body_is_given_up_as_a_whole(self, server: FakeEndpoint) -> None:
        """Each pause is short, and the whole would take two minutes."""
        assert "in full" in failure(server, Fault(seconds_per_byte=0.2), timeout=1.0).message


class TestCapabilities:
    """Servers that do not know all of the protocol are asked more simply; what was found out holds for the rest."""

    REFUSALS: ClassVar[dict[str, tuple[Callable[[dict[str, Any]], bool], str]]] = {
        "no json_schema": (
            lambda body: body.get("response_format", {}).get("type") == "json_schema",
            "response_format.type must be text or json_object",
        ),
        "no response_format": (lambda body: "response_format" in body, "unknown field response_format"),
        "no temperature": (lambda body: "temperature" in body, "temperature does not support 0 with this model"),
        "no seed": (lambda body: "seed" in body, "extra inputs are not permitted: seed"),
        "other limit": (
            lambda body: "max_tokens" in body,
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        ),
    }

    @pytest.mark.parametrize("status", [400, 422])
    @pytest.mark.parametrize("names", [[name] for name in REFUSALS] + [["no temperature", "no seed", "other limit"]])
    def test_it_finds_out_by_asking_and_remembers(self, server: FakeEndpoint, names: list[str], status: int) -> None:
        def refuses(body: dict[str, Any]) -> Fault | None:
            for name in names:
                wrong, complaint = self.REFUSALS[name]
                if wrong(body):
                    return refusal(status, complaint)
            return None

        server.refuses = refuses
        asked = chat_openai("m", server.url)
        assert asked.ask(QUESTION).text
        before = len(server.requests)
        assert asked.ask(QUESTION).text
        assert len(server.requests) == before + 1
        assert asked.name == chat_openai("m", server.url).name, "how it had to be asked is no part of the name"

    def test_without_a_strict_form_the_schema_is_told_in_words(self, server: FakeEndpoint) -> None:
        wrong, complaint = self.REFUSALS["no response_format"]
        server.refuses = lambda body: refusal(400, complaint) if wrong(body) else None
        chat_openai("m", server.url).ask(QUESTION)
        assert [each.get("response_format", {}).get("type") for each in server.requests] == [
            "json_schema", "json_object", None,
        ]  # fmt: skip
        assert json.dumps(dict(QUESTION.schema)) in server.requests[-1]["messages"][0]["content"]

    def test_a_question_that_is_refused_in_every_form_is_refused(self, server: FakeEndpoint) -> None:
        server.refuses = lambda body: refusal(400, f"no, {body.get('response_format', {}).get('type')}")
        with pytest.raises(LlmError, match="no, json_schema") as caught:
            chat_openai("m", server.url).ask(QUESTION)
        assert caught.value.kind == "refused"
        assert len(server.requests) == 3

    def test_what_no_form_can_help_is_asked_once(self, server: FakeEndpoint) -> None:
        server.refuses = lambda body: refusal(400, "cannot decode image")
        with pytest.raises(LlmError, match="cannot decode image"):
            chat_openai("m", server.url).ask(QUESTION)
        assert len(server.requests) == 1

    def test_once_it_knows_a_refusal_costs_one_request(self, server: FakeEndpoint) -> None:
        asked = chat_openai("m", server.url)
        asked.ask(QUESTION)
        server.refuses = lambda body: refusal(400, "cannot decode image")
        with pytest.raises(LlmError, match="cannot decode image"):
            asked.ask(QUESTION)
        assert len(server.requests) == 2

    def test_many_at_once_agree_on_one(self, server: FakeEndpoint) -> None:
        wrong, complaint = self.REFUSALS["no json_schema"]
        server.refuses = lambda body: refusal(400, complaint) if wrong(body) else None
        server.latency = 0.02
        asked = chat_openai("m", server.url)
        with ThreadPoolExecutor(8) as pool:
            assert all(each.text for each in pool.map(asked.ask, [QUESTION] * 40))
        assert asked.form.answer_format == "json_object"


class TestSecrets:
    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(KEY, SECRET)

    def test_the_key_is_sent_as_a_header_and_nowhere_else(self, server: FakeEndpoint) -> None:
        asked = chat_openai("m", server.url, key_env=KEY)
        asked.ask(QUESTION)
        assert server.headers[0]["authorization"] == f"Bearer {SECRET}"
        assert SECRET not in json.dumps(server.requests)
        assert SECRET not in f"{asked.name} {asked!r}"

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
    def test_an_endpoint_that_repeats_it_is_not_repeated(self, server: FakeEndpoint, status: int) -> None:
        error = failure(server, refusal(status, f"Incorrect API key provided: {SECRET}.", param=SECRET))
        assert SECRET not in f"{error} {error.message} {error.hint} {error!r}"
        assert error.__cause__ is None and error.__suppress_context__

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(body=f"key {SECRET}".encode()),
            Fault(body=json.dumps({"error": SECRET}).encode()),
            Fault(status=500, body=SECRET.encode()),
            changed_choice(message={"refusal": f"not for {SECRET}"}),
        ],
    )
    def test_nor_in_any_other_place(self, server: FakeEndpoint, fault: Fault) -> None:
        assert SECRET not in str(failure(server, fault))

    def test_a_redirect_does_not_take_it_along(self, server: FakeEndpoint) -> None:
        with FakeEndpoint() as thief:
            failure(server, Fault(status=307, headers={"location": f"{thief.url}/chat/completions"}, body=b""))
            assert not thief.requests

    @pytest.mark.parametrize("key", ["two\nlines", "sk-schlüssel", "tab\tkey"])
    def test_a_key_that_no_header_can_hold(
        self, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch, key: str
    ) -> None:
        monkeypatch.setenv(KEY, key)
        with pytest.raises(LlmError, match="no key has") as caught:
            chat_openai("m", server.url, key_env=KEY).ask(QUESTION)
        assert caught.value.kind == "auth" and key not in str(caught.value)

    def test_none_is_needed_on_this_machine_but_elsewhere(
        self, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(KEY)
        assert chat(server).ask(QUESTION).text
        with pytest.raises(LlmError, match=KEY) as caught:
            chat_openai("m").ask(QUESTION)
        assert caught.value.kind == "auth"

    def test_a_key_goes_only_to_the_address_that_it_belongs_to(
        self, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_ORG_ID", "org-5ecret")
        monkeypatch.setenv("OTHER_KEY", "k-0ther")
        chat(server).ask(QUESTION)
        chat_openai("m", server.url, key_env="OTHER_KEY").ask(QUESTION)
        first, second = server.headers
        assert "authorization" not in first and second["authorization"] == "Bearer k-0ther"
        assert SECRET not in str(server.headers) and "org-5ecret" not in str(server.headers)
        assert Endpoint.at(None).headers == {"Authorization": f"Bearer {SECRET}"}
        assert Endpoint.at("http://api.openai.com/v1").headers == {}, "not in the clear"
        assert Endpoint.at("https://api.openai.com.example.org/v1").headers == {}

    def test_a_variable_that_is_named_and_empty_is_an_error(
        self, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OTHER_KEY", raising=False)
        with pytest.raises(LlmError, match="OTHER_KEY is not set"):
            chat_openai("m", server.url, key_env="OTHER_KEY").ask(QUESTION)
        assert not server.requests

    def test_an_address_without_a_key_that_wants_one_says_how_to_give_it(self, server: FakeEndpoint) -> None:
        error = failure(server, refusal(401))
        assert error.kind == "auth" and "without a key" in error.message and "--llm-key-env NAME" in error.hint

    def test_the_key_that_is_used_is_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTHER_KEY", "k-0ther")
        endpoint = Endpoint.at("https://llm.example.org/v1", "OTHER_KEY")
        assert endpoint.scrub(f"no k-0ther, no {SECRET}") == "no •••, no •••"

    def test_azure_gets_its_version_and_its_own_header(
        self, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AZURE_KEY", "k-azure")
        azure = Endpoint.at("https://n.openai.azure.com/openai/deployments/x?api-version=2024-10-21", "AZURE_KEY")
        assert azure.base_url == "https://n.openai.azure.com/openai/deployments/x"
        assert (azure.query, azure.headers) == ((("api-version", "2024-10-21"),), {"api-key": "k-azure"})
        asked = chat_openai("m", f"{server.url}?api-version=2024-10-21", key_env="AZURE_KEY")
        asked.endpoint = replace(asked.endpoint, key_header="api-key")
        asked.ask(QUESTION)
        assert server.headers[0]["api-key"] == "k-azure" and "authorization" not in server.headers[0]
        assert server.paths == ["/v1/chat/completions?api-version=2024-10-21"]

    @pytest.mark.parametrize(
        "query", ["api_key=k", "api-version=1&key=k", "api-version=1&api-version=2", "api-version=a/b"]
    )
    def test_no_other_query_is_taken(self, query: str) -> None:
        with pytest.raises(AcbenchError) as caught:
            Endpoint.at(f"https://llm.example.org/v1?{query}")
        assert query not in str(caught.value)


class TestAuthorities:
    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
    def test_those_of_the_user_are_trusted(
        self, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
    ) -> None:
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        assert authorities() is None
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
        assert authorities() == str(tmp_path / "ca.pem")
        with pytest.raises(LlmError, match=r"ca\.pem cannot be read(?s:.)*SSL_CERT_FILE") as caught:
            chat(server).ask(QUESTION)
        assert caught.value.hint
        monkeypatch.setenv(variable, certifi.where())
        assert chat(server).ask(QUESTION).text


class TestEndpoints:
    @pytest.mark.parametrize(
        ("url", "read", "host", "loopback"),
        [
            (None, "https://api.openai.com/v1", "api.openai.com", False),
            ("http://localhost:11434/v1/", "http://localhost:11434/v1", "localhost:11434", True),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1", "[::1]:8000", True),
            ("http://127.9.9.9/v1", "http://127.9.9.9/v1", "127.9.9.9", True),
            ("https://LLM.example.org/v1", "https://llm.example.org/v1", "llm.example.org", False),
            ("http://localhost.example.org/v1", "http://localhost.example.org/v1", "localhost.example.org", False),
        ],
    )
    def test_urls(self, url: str | None, read: str, host: str, loopback: bool) -> None:
        found = Endpoint.at(url)
        assert (found.url, found.host, found.loopback) == (read, host, loopback)

    @pytest.mark.parametrize(
        "url",
        [
            "localhost:11434", "ftp://host/v1", "http://", "http:///v1", "http://user:pa55word@host/v1",
            "http://token@host/v1", "http://host/v1?key=pa55word", "http://host/v1#pa55word", "http://host:99999/v1",
            "http://[::1/v1", "pa55word",
        ],
    )  # fmt: skip
    def test_what_is_no_url_is_refused_without_repeating_it(self, url: str) -> None:
        with pytest.raises(AcbenchError, match="not of the form") as caught:
            chat_openai("m", url)
        assert "pa55word" not in str(caught.value)

    def test_names_tell_apart_what_answers_differently(self) -> None:
        names = {
            chat_openai(model, url).name
            for model in ("a", "b")
            for url in (None, "http://localhost:1/v1", "http://localhost:1/other/v1")
        }
        assert len(names) == 6
        assert chat_openai("a", None, timeout=1, connections=2).name == chat_openai("a").name


class TestEstimates:
    def test_tokens_are_an_upper_estimate_for_usual_rules(self) -> None:
        file = Picture(data=tiny_png(), media_type="image/png")
        assert picture_tokens(file, "gpt-4o") == 85 + 170 * 4
        assert picture_tokens(file, "gpt-4o-mini") > 33 * picture_tokens(file, "gpt-4o")

    def test_a_picture_that_cannot_be_read_counts_as_a_large_one(self) -> None:
        bad = Picture(data=b"no", media_type="image/png")
        small = Picture(data=tiny_jpeg(), media_type="image/jpeg")
        assert picture_tokens(bad, "m") > picture_tokens(small, "m")

    def test_everything_counts(self) -> None:
        asked = chat_openai("m")
        more = [
            replace(QUESTION, system="You look. " * 9),
            replace(QUESTION, parts=(*QUESTION.parts, QUESTION.parts[1])),
            replace(QUESTION, parts=(*QUESTION.parts, "ü" * 9)),
            replace(QUESTION, schema={**QUESTION.schema, "description": "x" * 9}),
        ]
        assert all(asked.tokens(each) > asked.tokens(QUESTION) for each in more)
