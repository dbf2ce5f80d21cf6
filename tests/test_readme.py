"""What the README says about the commands is what they say. `python tests/test_readme.py` brings it up to date."""

from __future__ import annotations

import re
from pathlib import Path

import click

from acbench.cli.main import cli

README = Path(__file__).parent.parent / "README.md"
REFERENCE = re.compile(r"(<!-- reference -->\n).*?(<!-- /reference -->)", re.DOTALL)


def reference() -> str:
    """The help of every command, as Markdown."""
    parts = []
    for names, command in commands(cli, ()):
        context = click.Context(
            command,
            info_name=" ".join(("acbench", *names)),
            max_content_width=100,
            terminal_width=100,
            help_option_names=cli.context_settings["help_option_names"],
        )
        parts.append(f"<details><summary><code>acbench {' '.join(names)}</code>: {command.get_short_help_str(120)}"
                     f"</summary>\n\n```text\n{command.get_help(context)}\n```\n\n</details>\n")  # fmt: skip
    return "\n".join(parts)


def commands(group: click.Group, names: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with its names."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += commands(command, (*names, name))
        else:
            found.append(((*names, name), command))
    return found


def updated() -> str:
    """The README with the reference as it should be."""
    return REFERENCE.sub(lambda match: f"{match[1]}{reference()}{match[2]}", README.read_text(encoding="utf-8"))


def test_the_command_reference_is_current() -> None:
    assert README.read_text(encoding="utf-8") == updated(), "run: python tests/test_readme.py"


def test_pictures_and_files_that_it_names_exist() -> None:
    text = README.read_text(encoding="utf-8")
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (README.parent / path).exists(), path


if __name__ == "__main__":
    README.write_text(updated(), encoding="utf-8")
