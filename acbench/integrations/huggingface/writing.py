"""Reads what the hub says of a token: may it write?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WRITES = frozenset({"repo.write", "repo.content.write"})
"""Permissions of a fine-grained token that let it write: https://huggingface.co/docs/hub/security-tokens."""


def why_not(account: Mapping[str, Any], repo: str) -> str:
    """Give why an account may not write to ORG/NAME; empty if it may, or if what the hub says does not tell.

    `account`: the answer of `whoami`, which is untrusted.
    """
    name, owner = str(account.get("name")), repo.partition("/")[0]
    auth = account.get("auth")
    token = auth.get("accessToken") if isinstance(auth, dict) else None
    token = token if isinstance(token, dict) else {}
    if token.get("role") == "read":
        return f"the token of {name} may only read"
    fine = token.get("fineGrained")
    if token.get("role") == "fineGrained" and isinstance(fine, dict) and not _may_write(fine):
        return f"the fine-grained token of {name} may write nowhere"
    if owner.casefold() == name.casefold():
        return ""
    listed = account.get("orgs")
    organisations = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    roles = {str(each.get("name")).casefold(): each.get("roleInOrg") for each in organisations}
    if owner.casefold() not in roles:
        return f"{name} is no member of {owner}"
    return f"{name} may only read in {owner}" if roles[owner.casefold()] == "read" else ""


def _may_write(fine: Mapping[str, Any]) -> bool:
    scopes = fine.get("scoped")
    named = [each.get("permissions") for each in scopes if isinstance(each, dict)] if isinstance(scopes, list) else []
    return any(_WRITES & {str(one) for one in each} for each in [*named, fine.get("global")] if isinstance(each, list))
