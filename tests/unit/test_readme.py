"""What README.md and the pages of docs/ say is so. `python -m tests.unit.test_readme` renews what is generated."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from acbench.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference" / "commands.md"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
LONGEST = 160
"""Lines of the README. What is more belongs on a page of docs/."""
WIDTH = 88
"""Characters of a line of help, as many as a page of the site has room for beside its columns."""
HEAD = """# Commands

In the order of use. Each links to its options and examples, which `acbench COMMAND -h` prints too.

{table}
[Settings](settings.md) says which options are remembered, how variables set options, and what the exit status means.

This page is generated: `python -m tests.unit.test_readme`.
"""
FORMS = {"$SLURM_ARRAY_TASK_ID": "1", "…": ""}
"""What stands in examples for something that a shell or a person fills in."""


def reference() -> str:
    """The help of every command, as a page of Markdown."""
    parts = [HEAD.format(table=table())]
    for names, command in leaves(cli, ()):
        context = click.Context(
            command,
            info_name=" ".join(("acbench", *names)),
            max_content_width=WIDTH,
            terminal_width=WIDTH,
            help_option_names=cli.context_settings["help_option_names"],
        )
        parts.append(f"## acbench {' '.join(names)}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def leaves(group: click.Group, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with its names, in the order of use."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*names, name))
        else:
            yield (*names, name), command


def table() -> str:
    """One row a command: what it does, with a link to its help. Of a group, its commands are listed."""
    below: dict[str, list[tuple[str, ...]]] = {}
    for names, _ in leaves(cli, ()):
        below.setdefault(names[0], []).append(names)
    rows = ["| command | what it does |", "|---|---|"]
    for name, (_, line) in COMMANDS.items():
        inner = [names for names in below[name] if len(names) > 1]
        known = f"`acbench {name}`" if inner else link("acbench " + name, name)
        parts = " " + ", ".join(link(" ".join(names[1:]), *names) for names in inner) if inner else ""
        rows.append(f"| {known}{parts} | {line} |")
    return "\n".join(rows) + "\n"


def link(text: str, *names: str) -> str:
    """A link to the help of a command."""
    return f"[`{text}`](#acbench-{'-'.join(names)})"


def anchors(page: Path) -> set[str]:
    """What a link can name on a page, as GitHub makes it of headings."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def examples() -> list[str]:
    """Every call of acbench in a block of shell commands, and every one in a sentence that gives more than the
    command's name."""
    pages = text()
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", pages, re.DOTALL)
    lines = (re.split(r"\s+#\s", line)[0] for block in blocks for line in block.splitlines())
    calls = (line[line.index("acbench ") :].strip() for line in lines if re.search(r"(^|&& )acbench ", line))
    told = (
        call for call in re.findall(r"`(acbench [a-z][^`\n]+)`", pages) if call.removeprefix("acbench ") not in named()
    )
    return sorted({*calls, *told})


def text() -> str:
    """All pages."""
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def named() -> set[str]:
    """The names of all commands and groups."""
    every = {" ".join(names) for names, _ in leaves(cli, ())}
    return every | {name.rpartition(" ")[0] for name in every}


def test_what_is_generated_is_current() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference(), "run: python -m tests.unit.test_readme"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_headings_that_they_link_to_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", prose(page))
    for path, anchor in links:
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), anchor


def test_the_readme_is_short_and_every_notebook_is_told_of() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST
    told = (DOCS / "notebooks.md").read_text(encoding="utf-8")
    assert [path.name for path in ROOT.glob("notebooks/*.ipynb") if f"notebooks/{path.name})" not in told] == []


def test_files_and_folders_that_they_name_exist() -> None:
    pages = text()
    named = re.findall(r"`((?:acbench|tests|annotations|label_schemas)/[\w./-]+)`", pages)
    modules = re.findall(r"python -m (tests[\w.]+)", pages)
    scripts = re.findall(r"python (?:-m pytest )?([\w/]+\.py)", pages)
    places = [module.replace(".", "/") for module in modules]
    runnable = [f"{place}/__main__.py" if (ROOT / place).is_dir() else f"{place}.py" for place in places]
    for path in (*named, *scripts, *runnable):
        kept = ("labels.jsonl", "reviews.jsonl", "labels.meta.json", "plan.json")
        made = path.startswith("annotations/") and path.endswith(kept)
        assert made or (ROOT / path).exists(), path


@pytest.mark.parametrize("example", examples())
def test_an_example_is_a_command_with_its_options(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ACBENCH_")]:
        monkeypatch.delenv(name)
    for form, value in FORMS.items():
        example = example.replace(form, value)
    command: click.Command = cli
    _, *words = shlex.split(example)
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    command.make_context(example, words)


def test_variables_that_they_name_are_read() -> None:
    named = set(re.findall(r"\bACBENCH_[A-Z_]+\b", text()))
    assert named
    read = "".join(
        path.read_text(encoding="utf-8") for path in (*ROOT.glob("acbench/**/*.py"), *ROOT.glob("tests/**/*.py"))
    )
    options = {
        f"ACBENCH_{'_'.join(names)}_{option.opts[0].strip('-')}".upper().replace("-", "_")
        for names, command in leaves(cli, ())
        for option in command.params
        if isinstance(option, click.Option)
    }
    assert {name for name in named if f'"{name}"' not in read} <= options


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
