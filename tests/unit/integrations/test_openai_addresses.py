"""Addresses that are nearly right: what a server on the other side of a wrong scheme or certificate comes to."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from acbench.integrations.openai.chat import chat_openai
from acbench.predictors.llm.messages import LlmError, Question
from acbench.testing.endpoint import FakeEndpoint

QUESTION = Question(system="You look.", parts=("What is this?",), schema={"type": "object"})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of nobody's authority for this machine, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on the PATH")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "ca.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def secure(certificate: Path) -> Iterator[str]:
    """The https address of an endpoint with that certificate."""
    with FakeEndpoint() as running:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
        running._server.socket = context.wrap_socket(running._server.socket, server_side=True)
        yield running.url.replace("http:", "https:")


def failure(url: str) -> LlmError:
    with pytest.raises(LlmError) as caught:
        chat_openai("m", url).ask(QUESTION)
    return caught.value


def test_https_to_a_server_that_speaks_http() -> None:
    with FakeEndpoint() as running:
        error = failure(running.url.replace("http:", "https:"))
    assert (error.kind, error.may_cost) == ("account", False)
    assert "--llm-url http://" in error.hint


def test_a_certificate_of_an_own_authority(secure: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = failure(secure)
    assert error.kind == "account" and "certificate" in error.message and "SSL_CERT_FILE=" in error.hint
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "ca.pem"))
    assert chat_openai("m", secure).ask(QUESTION).text


def test_a_proxy_is_not_asked_for_our_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    with FakeEndpoint() as running:
        assert chat_openai("m", running.url).ask(QUESTION).text
