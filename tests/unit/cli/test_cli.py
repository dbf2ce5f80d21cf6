"""The command line as people meet it: its help, its errors, and one real run of the sample from end to end."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click
import pytest
from click.core import ParameterSource

from acbench.cli.main import cli
from acbench.data.sample import render as sample
from acbench.testing import toy_mvtec_ad
from tests.support.commands import here, here_in, python
from tests.support.sample import copied, project_with_images

HEAVY = {"numpy", "pandas", "torch", "pyarrow", "PIL", "yaml", "scipy", "sklearn", "cleanlab", "rich", "openai"}
WORK = Path(".acbench/sample")
KEPT = Path("annotations/sample")


@pytest.fixture(scope="module")
def relabelled(sample_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the sample was relabelled. Not to be changed."""
    project = project_with_images(tmp_path_factory.mktemp("relabelled"), sample_images)
    assert "Next: look at the pictures" in here_in(project, "relabel", "sample").out
    return project


@pytest.fixture
def project(relabelled: Path, tmp_path: Path) -> Path:
    """A copy of that project."""
    return copied(relabelled, tmp_path / "project")


@pytest.fixture
def rendered(sample_images: Path, tmp_path: Path) -> Path:
    """A new project in which the sample's images are there already."""
    return project_with_images(tmp_path / "rendered", sample_images)


def rows(project: Path) -> list[dict[str, str]]:
    """The queue."""
    with (project / WORK / "queue.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(project: Path, answers: dict[str, str]) -> Path:
    """Write answers, by image, into the queue."""
    found = rows(project)
    path = project / WORK / "queue.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, found[0])
        writer.writeheader()
        writer.writerows({**row, "label": answers.get(row["image"], "")} for row in found)
    return path


def labels(project: Path) -> dict[str, dict[str, Any]]:
    """Image → label."""
    text = (project / KEPT / "labels.jsonl").read_text(encoding="utf-8")
    return {row["image"]: row for row in map(json.loads, text.splitlines())}


# Help


HELP_NAMES = cli.context_settings["help_option_names"]
"""click keeps a command's help option as it was first asked for, so that everybody has to ask for the real one."""


def commands(group: click.Group = cli, parent: click.Context | None = None) -> Iterator[tuple[str, click.Context]]:
    """Every command below a group, by its full name, in a context like that of a real call."""
    context = parent or click.Context(
        group, info_name="acbench", auto_envvar_prefix="ACBENCH", help_option_names=HELP_NAMES
    )
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield inner.command_path, inner


COMMANDS = dict(commands())
OPTIONS = [
    pytest.param(name, option, id=f"{name} {option.opts[0]}")
    for name, context in COMMANDS.items()
    for option in context.command.params
    if isinstance(option, click.Option)
]
ARGUMENTS = {
    "answers": "answers.csv",
    "log": "x.eval",
    "benchmark": "sample",
    "name": "mini",
    "root": "data/tiles",
    "proposer": "llm:mini",
    "file": "queue.csv",
    "image": "bottle/test/good/000.png",
    "release": "my-org/x",
    "before": "a",
    "after": "b",
    "address": "ada@example.org",
}
FORMS = {
    "--compare": "mine.csv theirs.csv",
    "--detector": "none",
    "--error": "0.1",
    "--false-alarms": "0.1",
    "--edge": "768",
    "--extra": "a=1",
    "--key-env": "MY_KEY",
    "--llm-edge": "768",
    "--llm-extra": "a=1",
    "--llm-key-env": "MY_KEY",
    "--gate": "10:1",
    "--input-size": "96",
    "--llm-price": "1/2",
    "--llm-url": "http://localhost/v1",
    "--price": "1/2",
    "--reading": "normal=fine",
    "--shard": "1/2",
    "--url": "http://localhost/v1",
}
"""Values of options that take more than a number."""


def parse(context: click.Context, arguments: Sequence[str]) -> click.Context:
    """The command's context with these arguments; raises UsageError if they are wrong."""
    assert context.info_name is not None
    return context.command.make_context(context.info_name, list(arguments), parent=context.parent)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does_and_shows_an_example_that_is_right(name: str) -> None:
    command = COMMANDS[name].command
    assert command.help
    examples = [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("acbench ")]
    assert examples
    for example in examples:
        assert example.startswith(name)
        parse(COMMANDS[name], shlex.split(example)[len(name.split()) :])


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_an_option_has_help_and_a_variable_named_after_it(
    name: str, option: click.Option, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert option.help
    variable = "_".join([*name.split(), option.opts[0].strip("-")]).upper().replace("-", "_")
    if option.opts == ["--project"]:
        variable = "ACBENCH_PROJECT"
    value = str(tmp_path / "x") if isinstance(option.type, click.Path) else FORMS.get(option.opts[0], "1")
    value = option.type.choices[0] if isinstance(option.type, click.Choice) else value
    required = [f"--{each.name}=1" for each in COMMANDS[name].command.params
                if each.required and isinstance(each, click.Option) and each is not option]  # fmt: skip
    given = [ARGUMENTS[str(each.name)] for each in COMMANDS[name].command.params if isinstance(each, click.Argument)]
    monkeypatch.setenv(variable, str(value))
    assert option.name is not None
    assert parse(COMMANDS[name], [*required, *given]).get_parameter_source(option.name) is ParameterSource.ENVIRONMENT


def test_every_command_gives_json_but_those_that_show_texts_and_write_tables() -> None:
    without = {name for name, context in COMMANDS.items()
               if not any("--json" in each.opts for each in context.command.params)}  # fmt: skip
    assert without == {"acbench schema show", "acbench export proposals", "acbench export answers"}


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from acbench.cli.main import cli
for words in {[name.split()[1:] for name in COMMANDS]!r}:
    cli.main([*words, "--help"], standalone_mode=False)
print(*({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    assert python(code).err.split() == []


# Errors


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("relabel nosuch", 1, "no bundled benchmark 'nosuch'"),
        ("relabel mvtec_ac", 1, "where is MVTec-AD"),
        ("relabel mvtec_ac --root {project}/nosuch", 1, "does not exist"),
        ("relabel mvtec_ac --root {project}", 1, "holds no category of MVTec-AD"),
        ("relabel sample --project {project}/nosuch", 1, "does not exist"),
        ("relabel sample --project {project}/.acbench/lock", 2, "is a file"),
        ("relabel sample --without nosuch", 1, "--without nosuch"),
        ("relabel sample --with nosuch", 1, "no proposer 'nosuch'"),
        ("relabel sample --with table:nosuch", 1, "no table 'nosuch'"),
        ("relabel sample --category nosuch", 1, "no category nosuch"),
        ("relabel sample --backbone nosuch", 1, "no backbone 'nosuch'"),
        ("relabel sample --backbone timm:nosuch@{project}/nosuch", 1, "there is no file"),
        ("relabel sample --reviews {project}/nosuch", 1, "does not exist"),
        ("relabel sample --reviews {project}/.acbench/sample/triage.parquet", 1, "not UTF-8"),
        ("relabel sample --limit -1", 2, "--limit"),
        ("relabel sample --audit many", 2, "error=1%"),
        ("relabel {project}/broken.yaml", 1, "broken.yaml"),
        ("relabel {project}/nosuch.yaml", 1, "nosuch.yaml"),
        ("propose sample --proposer nosuch", 1, "no proposer 'nosuch'"),
        ("status nosuch", 1, "has not been relabelled here"),
        ("status --project {project}/nosuch", 1, "no project in"),
        ("runs --project {project}/nosuch", 1, "no project in"),
        ("schema check nosuch", 1, "no bundled benchmark 'nosuch'"),
        ("schema show sample --category nosuch", 1, "no category 'nosuch'"),
        ("nosuch", 2, "No such command"),
        ("relabel", 2, "BENCHMARK"),
    ],
)
def test_an_error_is_one_message_with_a_way_out(
    project: Path, monkeypatch: pytest.MonkeyPatch, command: str, status: int, message: str
) -> None:
    (project / "broken.yaml").write_text("benchmark: broken\nclasses: [1, 2\n", encoding="utf-8")
    monkeypatch.chdir(project)
    done = here(*shlex.split(command.format(project=project)))
    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert done.err.count("Error: ") == 1
    assert ("\n  → " in done.err) == (status == 1)


def test_a_project_in_which_nothing_was_done_says_what_to_do(tmp_path: Path) -> None:
    assert here("relabel", "mvtec_ac", "--project", tmp_path).status == 1  # it has no images, but a ledger now
    assert here("status", "--project", tmp_path).out == "nothing yet; acbench relabel sample\n"
    assert here("status", "--json", "--project", tmp_path).facts == {}


def test_a_schema_with_errors_is_not_used_and_they_are_listed_by_line(tmp_path: Path) -> None:
    schema = tmp_path / "mine.yaml"
    known = Path(__file__).parents[3] / "label_schemas" / "sample.yaml"
    schema.write_text(re.sub("^source: sample$", "source: sample\nfoo: 1", known.read_text(), flags=re.M))
    checked = here("schema", "check", schema, "--json")
    assert checked.status == 1
    assert any("foo" in problem["message"] + problem["where"] for problem in checked.facts)
    done = here("relabel", schema, "--project", tmp_path)
    assert done.status == 1
    assert "foo" in done.err


def test_the_reasons_of_a_schema_are_shown_apart_from_what_people_and_models_get() -> None:
    shown = {form: here("schema", "show", "mvtec_ac", "--category", "wood", "--as", form).out
             for form in ("all", "form", "prompt", "reasons")}  # fmt: skip
    assert shown["reasons"].startswith("- `combined` names no class. ") and "- `good` / `hole`: " in shown["reasons"]
    assert shown["reasons"] in shown["all"]
    assert not any(word in shown[form] for form in ("form", "prompt") for word in ("folder", "MVTec", "combined"))
    assert here("schema", "show", "visa_ac", "--category", "capsules", "--as", "reasons").out == "There are none.\n"


@pytest.mark.parametrize("name", [".acbench", "annotations"])
def test_a_project_that_cannot_be_written_is_said(rendered: Path, name: str) -> None:
    shutil.rmtree(rendered / name, ignore_errors=True)
    (rendered / name).touch()
    done = here("relabel", "sample", "--without", "neighbours", "--project", rendered)
    assert done.status == 1
    assert f"{rendered / name}" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_project_without_leave_to_write_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = here("relabel", "sample", "--project", tmp_path)
    tmp_path.chmod(0o700)
    assert done.status == 1
    assert "Permission denied" in done.err


@pytest.mark.parametrize("command", ["relabel sample", "status sample", "runs"])
@pytest.mark.parametrize("damage", ["another file", "holes"])
def test_a_damaged_ledger_is_said(project: Path, command: str, damage: str) -> None:
    ledger = project / ".acbench/ledger.sqlite"
    data = bytearray(ledger.read_bytes() if damage == "holes" else b"no ledger")
    for start in range(2 * 4096, len(data), 4096):
        data[start : start + 200] = b"\xff" * 200
    ledger.write_bytes(data)
    done = here(*command.split(), "--project", project)
    assert done.status == 1
    assert "is not a usable ledger" in done.err
    assert f"acbench ledger recover {ledger}" in done.err
    broken = ledger.read_bytes()
    assert here("ledger", "recover", ledger).status in (0, 3)
    assert here(*command.split(), "--project", project).status == 0
    assert ledger.with_name("ledger.sqlite.damaged-1").read_bytes() == broken


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        (WORK / "settings.json", "{", "relabel sample"),
        (WORK / "settings.json", "[]", "relabel sample"),
        (WORK / "settings.json", "{}", "relabel sample"),
        (WORK / "report.json", "{", "status sample"),
        (WORK / "report.json", "[]", "status sample"),
        (WORK / "report.json", '{"labels": {}}', "status sample"),
        (WORK / "report.json", '{"labels": {"excluded": {}}, "queue": {"waiting": 1}}', "status sample"),
        (KEPT / "labels.jsonl", "{", "relabel sample"),
        (KEPT / "labels.jsonl", '{"item_id": 3}', "relabel sample"),
        (KEPT / "reviews.jsonl", "junk", "relabel sample"),
    ],
)
def test_a_damaged_file_is_named_and_stays(project: Path, name: Path, content: str, command: str) -> None:
    (project / name).write_text(content, encoding="utf-8")
    done = here(*command.split(), "--project", project)
    assert done.status == 1
    assert str(project / name) in done.err
    assert "\n  → " in done.err
    assert (project / name).read_text(encoding="utf-8") == content


def test_what_a_machine_can_remake_is_remade_when_damaged(project: Path, relabelled: Path) -> None:
    names = [*(path.relative_to(project) for path in (project / WORK).rglob("*.parquet")), WORK / "report.json"]
    assert len(names) > 4
    for name in names:
        (project / name).write_bytes(b"junk")
    (project / KEPT / "labels.meta.json").unlink()
    here_in(project, "relabel", "sample")
    for name in (*names, KEPT / "labels.meta.json"):
        assert (project / name).read_bytes() == (relabelled / name).read_bytes(), name


def test_an_unreadable_image_is_excluded_with_its_reason_and_the_rest_goes_on(project: Path) -> None:
    image = "washer/test/dent/003.png"
    (project / WORK / "images" / image).unlink()  # a link to what other tests use
    (project / WORK / "images" / image).write_bytes(b"no picture")
    done = here_in(project, "relabel", "sample", status=3)
    assert f"✗ {image}: " in done.out
    row = labels(project)[image]
    assert row["status"] == "excluded"
    assert "it is not a PNG" in row["reason"]
    assert len(labels(project)) == 152
    here_in(project, "relabel", "sample", status=3)
    here_in(project, "ingest", "sample", status=3)


def test_a_mask_that_cannot_be_used_is_a_failure_too(tmp_path: Path) -> None:
    root = toy_mvtec_ad(tmp_path / "root")
    next(root.rglob("*_mask.png")).write_bytes(b"no picture")
    for command in ("ingest mvtec_ac", "relabel mvtec_ac --without neighbours"):
        assert here(*command.split(), "--root", root, "--project", tmp_path).status == 3


# On a terminal


WORK_WITH_PROGRESS = """
import click, sys, time
from acbench.cli.main import cli, main
from acbench.cli.screen import Screen

@click.command()
def work():
    with Screen().stage("read [images]") as progress:
        for done in range(1, 6):
            progress(done, 5)
            time.sleep(0.1)
        Screen().note("half [of] them")
        time.sleep({seconds})
    print("the result")

cli.get_command = lambda context, name: work
sys.argv = ["acbench", "work"]
main()
"""
"""A command of acbench that takes a while."""


def on_a_terminal(*arguments: object, stop: bool = False, status: int = 0, results: Path | None = None) -> str:
    """What a program prints on a terminal of 100 columns; `stop`: press Ctrl-C at the bar below a note."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with ExitStack() as stack:
        stdout = theirs if results is None else stack.enter_context(results.open("wb"))
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)], stdin=theirs, stdout=stdout, stderr=theirs, env=environment
        )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how Linux tells that the other end is closed
        while data := os.read(ours, 65536):
            shown += data
            if stop and shown.partition(b"Note: ")[2].count(b"read") > 2:  # drawn again: the note is out
                process.send_signal(signal.SIGINT)
                stop = False
    os.close(ours)
    assert process.wait() == status, shown
    return shown.decode().replace("\r\n", "\n")


def left_on_screen(shown: str) -> list[str]:
    """The lines that stay: a line that is erased, or that the cursor goes up to and overwrites, does not."""
    lines = [""]
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", shown):
        if part == "\n":
            lines.append("")
        elif part == "\x1b[1A":
            lines.pop()
        elif part == "\x1b[2K":
            lines[-1] = ""
        elif not part.startswith(("\x1b", "\r")):
            lines[-1] += part
    return [line.rstrip() for line in lines if line.strip()]


def test_progress_goes_away_and_the_rest_stays_once(tmp_path: Path) -> None:
    shown = on_a_terminal("-c", WORK_WITH_PROGRESS.format(seconds=0))
    assert "read [images]" in shown and "5/5" in shown
    assert left_on_screen(shown) == ["Note: half [of] them", "the result"]
    shown = on_a_terminal("-c", WORK_WITH_PROGRESS.format(seconds=0), results=tmp_path / "results")
    assert left_on_screen(shown) == ["Note: half [of] them"]
    assert (tmp_path / "results").read_text() == "the result\n"


def test_ctrl_c_leaves_a_clean_terminal() -> None:
    shown = on_a_terminal("-c", WORK_WITH_PROGRESS.format(seconds=60), stop=True, status=130)
    stopped = "Stopped. What was done is kept: run the same command again to go on."
    assert left_on_screen(shown) == ["Note: half [of] them", stopped]
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is hidden"


def test_a_terminal_and_a_pipe_get_the_same_words(project: Path) -> None:
    for command in (("relabel", "sample"), ("status", "sample"), ("propose", "sample"), ("ingest", "sample")):
        here_in(project, *command)
        piped = here_in(project, *command).out
        shown = left_on_screen(on_a_terminal("-m", "acbench", *command, "--project", project))
        assert max(map(len, shown)) <= 100 or "/" in max(shown, key=len), "a path alone may be longer"
        assert re.sub(r"\s", "", "".join(shown)).startswith(re.sub(r"\s", "", piped))
        assert "…" not in piped


# The sample, from end to end


def test_the_planted_errors_stand_first(relabelled: Path) -> None:
    assert {row["image"] for row in rows(relabelled)[:8]} == set(sample.planted())
    for row in rows(relabelled):
        assert (relabelled / WORK / row["evidence"]).is_file()


def test_nothing_is_done_twice(relabelled: Path, project: Path) -> None:
    done = here_in(project, "relabel", "sample")
    assert "nothing was done" in done.err
    assert done.out.replace(str(project), "") == here_in(relabelled, "relabel", "sample").out.replace(
        str(relabelled), ""
    )


def test_a_run_with_nothing_to_do_imports_nothing_heavy_and_writes_no_file(project: Path) -> None:
    here_in(project, "relabel", "sample")  # reads the images where they lie now
    before = {path: path.stat().st_ino for path in project.rglob("*.*") if "ledger" not in path.name}
    code = f"""
import sys
from acbench.cli.main import cli
cli.main(["relabel", "sample", "--project", {str(project)!r}], standalone_mode=False)
print(*({HEAVY!r} & set(sys.modules)))
"""
    done = python(code)
    assert "nothing was done" in done.err
    assert done.out.splitlines()[-1] == "yaml"  # for the label schema
    assert {path: path.stat().st_ino for path in project.rglob("*.*") if "ledger" not in path.name} == before


def test_proposers_that_have_answered_are_counted_without_reading_their_tables(project: Path) -> None:
    first = here_in(project, "propose", "sample")
    code = f"""
import sys
from acbench.cli.main import cli
cli.main(["propose", "sample", "--project", {str(project)!r}], standalone_mode=False)
print(*({HEAVY!r} & set(sys.modules)))
"""
    assert python(code).out == first.out + "yaml\n"
    table = next((project / WORK / "proposals").glob("source_label.parquet"))
    table.unlink()
    assert here_in(project, "propose", "sample").out == first.out
    assert table.exists()


def test_with_the_queue_filled_in_the_labels_are_the_truth(project: Path) -> None:
    truth = {image: " + ".join(shown) for image, shown in sample.truth().items()}
    reviewed = {row["image"] for row in rows(project)}
    queue = fill(project, truth)
    done = here_in(project, "relabel", "sample", "--reviews", queue, "--reviewer", "ada")
    assert f"Reviews: {len(reviewed)} new, 0 changed" in done.out
    found = labels(project)
    assert {image: found[image]["labels"] for image in sample.truth()} == {
        image: list(shown) for image, shown in sample.truth().items()
    }
    assert {image for image, row in found.items() if row["decided_by"] == "people"} == reviewed
    assert re.search(r"wrong labels among those accepted without a look: 0\.0% \(95 % interval 0\.0% to \d", done.out)
    assert rows(project) == []
    assert "no image waits for people" in done.out
    again = here_in(project, "relabel", "sample", "--reviews", queue, "--reviewer", "ada")
    assert "Reviews: 0 new, 0 changed, 0 known already" in again.out


def test_an_audited_error_counts(project: Path) -> None:
    waiting = rows(project)
    audited = [row["image"] for row in waiting if row["why"] == "audit"]
    truth = {image: " + ".join(sample.truth()[image]) for image in audited}
    truth[audited[0]] = "unsure"
    wrong = next(image for image in audited[1:] if truth[image] != "good")
    truth[wrong] = "good"
    taken = here_in(project, "review", "take", "sample", fill(project, truth), "--reviewer", "ada", "--json")
    assert taken.facts == {"new": len(audited), "changed": 0, "same": 0, "empty": len(waiting) - len(audited)}
    audit = here_in(project, "relabel", "sample", "--json").facts["audit"]
    assert audit["answered"] == len(audited) - 1
    assert audit["error"]["value"] == pytest.approx(1 / (len(audited) - 1))
    assert audit["error"]["low"] < audit["error"]["value"] < audit["error"]["high"]
    assert (
        audit["unsettled"] == 1
        and "people are unsure or differ about 1 more" in here_in(project, "relabel", "sample").out
    )


def test_answers_that_are_not_taken_in_are_never_overwritten(project: Path) -> None:
    first = rows(project)[0]["image"]
    for answer in ("dent", "no such class"):
        kept = fill(project, {first: answer}).read_bytes()
        done = here_in(project, "relabel", "sample", "--audit", "0.3")
        assert "holds 1 answers that are not taken in" in done.err
        assert (project / WORK / "queue.csv").read_bytes() == kept


def test_a_wrong_line_takes_nothing_in(project: Path) -> None:
    first, second, *_ = (row["image"] for row in rows(project))
    queue = fill(project, {first: "dent + scratch", second: "no such class"})
    kept = queue.read_bytes()
    done = here("relabel", "sample", "--reviews", queue, "--reviewer", "ada", "--project", project)
    assert done.status == 1
    assert "line 3" in done.err
    assert (project / KEPT / "reviews.jsonl").read_bytes() == b""
    assert queue.read_bytes() == kept
    assert "reviewer" in here("relabel", "sample", "--reviews", queue, "--project", project).err


def test_hand_edits_of_the_labels_are_saved_aside_and_said(project: Path, relabelled: Path) -> None:
    path = project / KEPT / "labels.jsonl"
    edited = path.read_text(encoding="utf-8").replace('["dent"]', '["chip"]')
    path.write_text(edited, encoding="utf-8")
    done = here_in(project, "relabel", "sample")
    assert "give a review" in done.err
    (copy,) = (project / WORK).glob("labels-before-*.jsonl")
    assert copy.name in done.err
    assert copy.read_text(encoding="utf-8") == edited
    assert path.read_bytes() == (relabelled / KEPT / "labels.jsonl").read_bytes()


def test_labels_that_an_earlier_project_left_are_no_hand_edits(project: Path, relabelled: Path) -> None:
    (project / ".acbench/ledger.sqlite").unlink()
    done = here_in(project, "resolve", "sample", "--without", "neighbours")
    assert "give a review" in done.err
    (project / ".acbench/ledger.sqlite").unlink()
    assert "give a review" not in here_in(project, "resolve", "sample").err


def test_labels_of_images_that_are_not_in_the_folder_stay(rendered: Path) -> None:
    command = ("relabel", "sample", "--without", "neighbours")
    here_in(rendered, *command, "--category", "fabric")
    first = labels(rendered)
    assert {image.partition("/")[0] for image in first} == {"fabric"}
    done = here_in(rendered, *command, "--category", "washer")
    assert f"{len(first)} labels of images that are not in this folder stay" in done.err
    both = labels(rendered)
    assert len(both) == 2 * len(first)
    assert {image: both[image] for image in first} == first
    # resolve counts those that are; relabel says the same
    counts = here_in(rendered, "resolve", "sample", "--json").facts
    assert counts == here_in(rendered, "relabel", "sample", "--json").facts["labels"]
    assert counts["all"] == len(first)
    here_in(rendered, "resolve", "sample", "--category", "fabric", "--category", "washer")
    assert here_in(rendered, "resolve", "sample", "--json").facts["all"] == len(both)


def test_settings_are_remembered(tmp_path: Path) -> None:
    root = toy_mvtec_ad(tmp_path / "root")
    first = here("relabel", "mvtec_ac", "--root", root, "--without", "neighbours", "--category", "bottle", "--json",
                 "--project", tmp_path)  # fmt: skip
    again = here("relabel", "mvtec_ac", "--json", "--project", tmp_path)
    assert (first.status, again.status) == (0, 0)
    assert again.out == first.out
    more = here("relabel", "mvtec_ac", "--json", "--category", "screw", "--category", "bottle", "--project", tmp_path)
    assert more.facts["images"]["all"] == 2 * first.facts["images"]["all"]


def test_a_folder_named_like_a_proposer_or_a_model_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("clip", "ViT-L-14", "openai", "gpt-4o"):
        (tmp_path / name).mkdir()
    (tmp_path / "said.csv").write_text("image,labels\n")
    root = toy_mvtec_ad(tmp_path / "root")
    monkeypatch.chdir(tmp_path)
    chosen = ("--clip-model", "ViT-L-14", "--clip-weights", "openai", "--llm", "gpt-4o", "--with", "file:said.csv")
    asked = ("--proposer", "source_label", "--root", root, "--category", "bottle", *chosen)
    assert here("propose", "mvtec_ac", *asked).status == 0
    kept = json.loads((tmp_path / ".acbench/mvtec_ac/settings.json").read_text())
    assert (kept["clip_model"], kept["clip_weights"], kept["llm"]["model"]) == ("ViT-L-14", "openai", "gpt-4o")
    assert kept["with_"] == [f"file:{tmp_path / 'said.csv'}"]


def test_with_every_proposer_left_out_another_part_of_the_dataset_is_another_ranking(tmp_path: Path) -> None:
    root = toy_mvtec_ad(tmp_path / "root")
    without = [
        word for name in ("source_label", "neighbours", "table:mvtec_fs", "edition") for word in ("--without", name)
    ]
    for part in (("--category", "bottle", "--category", "screw"), ("--category", "screw", "--limit", "2")):
        done = here("relabel", "mvtec_ac", "--root", root, *without, *part, "--project", tmp_path)
        assert done.status == 0, done.err


def test_a_restriction_can_be_taken_back(tmp_path: Path) -> None:
    root = toy_mvtec_ad(tmp_path / "root")
    ingest = ("ingest", "mvtec_ac", "--project", tmp_path, "--json")
    whole = here(*ingest, "--root", root).facts["items"]
    part = here(*ingest, "--category", "bottle", "--limit", "1").facts["items"]
    again = here(*ingest)
    assert again.facts["items"] == part < whole
    command = f"acbench relabel mvtec_ac --project {tmp_path} --category all --limit 0"
    assert f"--category bottle --limit 1; for all: {command}" in again.err
    assert "only a part" not in here(*ingest, "--category", "bottle", "--limit", "1").err
    assert here(*ingest, "--category", "all", "--limit", "0").facts["items"] == whole
    assert (whole_again := here(*ingest)).facts["items"] == whole and "only a part" not in whole_again.err


@pytest.mark.parametrize(
    "command",
    [
        "relabel sample",
        "ingest sample",
        "propose sample",
        "resolve sample",
        "review queue sample",
        "status",
        "status sample",
        "runs --limit 1",
        "schema check sample",
    ],
)
def test_json_is_json(project: Path, command: str) -> None:
    extra = [] if command.startswith("schema") else ["--project", project]
    done = here(*command.split(), "--json", *extra)
    assert done.status == 0
    assert done.facts is not None
