"""Knows who decides in a project: who has decided how much, and how somebody gets into its Label Studio."""

from __future__ import annotations

import os
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio import server as servers
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.review.askable import SERVICE, deciders
from acbench.review.history import by_item
from acbench.storage.project import Project
from acbench.workflows.label_studio import PASSWORD, connected


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How somebody gets in."""

    url: str
    """Empty if the server does not run."""
    address: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who decides, or could."""

    name: str
    address: str = ""
    """The account's in Label Studio; empty if there is none."""
    decisions: Mapping[str, int] = field(default_factory=dict)
    """Benchmark → images that they have decided, also those that they were unsure of."""


def people(project: Project, note: Callable[[str], None]) -> list[Person]:
    """Whoever decided something in this project, or has an account in its Label Studio, by name.

    Accounts are known only while the server runs and lets us in; `note` is told where it does not, and why.
    """
    decided: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for folder in sorted(path for path in project.annotations.glob("*") if path.is_dir()):
        for _, rows in by_item(project.benchmark(folder.name).reviews.read()).items():
            for name in deciders(rows):
                decided[name][folder.name] += 1
    addresses: dict[str, str] = {}
    try:
        with connected(project) as tool:
            addresses = {account.name: account.address for account in tool.people.accounts}
    except AnnotationToolError as error:
        note(f"who has an account is not known: {error.message}")
    if SERVICE not in decided:  # an account that decides nothing
        addresses.pop(SERVICE, None)
    return [
        Person(name=name, address=addresses.get(name, ""), decisions=dict(decided[name]))
        for name in sorted({*decided, *addresses})
    ]


def add_person(project: Project, address: str) -> SignIn:
    """Make an account in Label Studio for somebody. Raises AnnotationToolError if they have one."""
    with connected(project) as tool:
        return _added(tool, address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Who gets into the project's own server."""

    made: SignIn | None
    """The account that was made; None if there was one, or none was wanted."""
    accounts: int
    """How many people have one now."""
    invitation: str
    """The address at which whoever has it can make an account."""


def admit(project: Project, address: str | None) -> Admission:
    """Let somebody into the project's own server, unless they have an account. Raises AnnotationToolError."""
    with connected(project, own_only=True) as tool:
        made = None if address is None or tool.people.has(address) else _added(tool, address)
        accounts = [account for account in tool.people.accounts if account.name != SERVICE]
        return Admission(made=made, accounts=len(accounts), invitation=tool.people.invitation(tool.url))


def new_password(project: Project, address: str) -> SignIn:
    """Give an account of the project's own server another password. Raises AnnotationToolError."""
    password = _new_password()
    servers.set_password(project.annotation_tool, address, password)
    own = servers.running(project.annotation_tool)
    return SignIn(url=own.url if own else "", address=address, password=password)


def _added(tool: LabelStudio, address: str) -> SignIn:
    password = _new_password()
    tool.people.add(address, password)
    return SignIn(url=tool.url, address=address, password=password)


def _new_password() -> str:
    """The one that the environment names, or one that is made up."""
    return os.environ.get(PASSWORD) or secrets.token_urlsafe(9)
