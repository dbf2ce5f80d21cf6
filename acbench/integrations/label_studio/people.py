"""Knows the accounts of a Label Studio: the names of its people, and how to make one for somebody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import httpx

from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio import failures
from acbench.integrations.label_studio.http import CONNECT, Connection
from acbench.review.askable import SERVICE

SERVICE_ADDRESS = "acbench@localhost"
"""The account under which a server of a project's own is administered. Nobody decides under it."""

_ANSWER = 60.0
"""Seconds to wait for a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user of a server."""

    number: int
    address: str
    name: str
    """As a review names its reviewer."""


@dataclass(frozen=True)
class People:
    """The users of one server."""

    connection: Connection

    @cached_property
    def accounts(self) -> list[Account]:
        """Every user, oldest first.

        A name is the part of the address before the @; of two users who share it, the newer one has a number. The name
        of the account that is nobody goes to no other.
        """
        names = {SERVICE}
        found: list[Account] = []
        for user in sorted(self.connection.sdk.users.list(), key=lambda user: user.id or 0):
            number, address = user.id or 0, user.email or user.username or ""
            name = address.partition("@")[0] or f"user {number}"
            if address == SERVICE_ADDRESS:
                name = SERVICE
            elif name in names:
                name = f"{name}.{number}"
            names.add(name)
            found.append(Account(number=number, address=address, name=name))
        return found

    @cached_property
    def names(self) -> dict[int, str]:
        """User → name."""
        return {account.number: account.name for account in self.accounts}

    def has(self, address: str) -> bool:
        """Whether somebody has an account with this address."""
        return any(account.address.lower() == address.lower() for account in self.accounts)

    def invitation(self, place: str = "") -> str:
        """The address at which whoever has it can make an account. `place`: the server's for people, if not ours."""
        path = str(self.connection.get("/api/invite").json()["invite_url"])
        return f"{place or self.connection.url}/{path.lstrip('/')}"

    def add(self, address: str, password: str) -> None:
        """Make an account. Raises AnnotationToolError, with the server's own words, if it does not take it."""
        if self.has(address):
            raise AnnotationToolError(
                f"{address} has an account at {self.connection.url} already",
                f"sign in; a lost password: acbench review people password {address}",
            )
        page = self.invitation()
        with httpx.Client(timeout=httpx.Timeout(_ANSWER, connect=CONNECT)) as browser:
            try:
                form = browser.get(page)
                field = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
                answer = browser.post(
                    page,
                    data={
                        "csrfmiddlewaretoken": field[1] if field else "",
                        "email": address,
                        "password": password,
                        "allow_newsletters": "",
                    },
                    headers={"Referer": page},
                )
            except httpx.RequestError as error:
                raise failures.unreached(self.connection.url, error) from None
        if answer.status_code != 302:
            errors = re.findall(r'<ul class="field_errors">(.*?)</ul>', answer.text, re.DOTALL)
            said = " ".join(re.sub(r"<[^>]*>", " ", " ".join(errors)).split()) or "no reason given"
            raise AnnotationToolError(
                f"{self.connection.url} made no account for {address} ({answer.status_code}): {said[:300]}",
                f"let them make it themselves: {page}",
            )
        for known in ("accounts", "names"):  # they have changed
            self.__dict__.pop(known, None)
