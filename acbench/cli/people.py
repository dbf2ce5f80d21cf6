"""`acbench review people`: who decides, and how they get into Label Studio."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text
from acbench.cli.options import json_option, project_option
from acbench.storage.project import existing_project

if TYPE_CHECKING:
    from acbench.workflows.people import SignIn


class _ListByDefault(click.Group):
    """A group that lists people where no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_option = bool(args) and args[0].startswith("-") and args[0] not in ctx.help_option_names
        return super().parse_args(ctx, ["list", *args] if not args or is_option else args)


@click.group(cls=_ListByDefault)
def people() -> None:
    """List who decides, and make accounts for them."""


@people.command("list", epilog="\b\nExample:\n  acbench review people list")
@json_option
@project_option
def listed(project: Path, as_json: bool) -> int:
    """List who has decided how many images, and who has an account in the Label Studio that runs."""
    from acbench._util.console import table
    from acbench.workflows import people

    found = people.people(existing_project(project), lambda text: click.echo(f"! {text}", err=True))
    if as_json:
        click.echo(json_text([dataclasses.asdict(person) for person in found]))
        return 0
    rows = [
        (
            person.name,
            person.address or "–",
            ", ".join(f"{count:,} of {benchmark}" for benchmark, count in person.decisions.items()) or "–",
        )
        for person in found
    ]
    click.echo(table([("who", "account", "images decided"), *rows]) if rows else "Nobody has decided anything yet.")
    return 0


@people.command(epilog="\b\nExample:\n  acbench review people add ada@example.org")
@click.argument("address")
@json_option
@project_option
def add(project: Path, address: str, as_json: bool) -> int:
    """Make an account in Label Studio, and print how to sign in."""
    from acbench.workflows import people

    _print(people.add_person(existing_project(project), address), as_json=as_json)
    return 0


@people.command(epilog="\b\nExample:\n  acbench review people password ada@example.org")
@click.argument("address")
@json_option
@project_option
def password(project: Path, address: str, as_json: bool) -> int:
    """Give an account of this project's own Label Studio a new password, and print it."""
    from acbench.workflows import people

    _print(people.new_password(existing_project(project), address), as_json=as_json)
    return 0


def _print(sign_in: SignIn, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(sign_in)))
    else:
        where = sign_in.url or "the server does not run: acbench review serve"
        click.echo(f"{where}\n  user      {sign_in.address}\n  password  {sign_in.password}")
