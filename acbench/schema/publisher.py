"""Reads what only the owner of a dataset can say, and a publisher has to: whose it is, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from acbench import licences
from acbench.errors import AcbenchError
from acbench.schema.nodes import NodeReader, Spot

KEYS = ("home", "citation", "image_licence", "share_images", "licence_link", "contact")
_ADDRESS = re.compile(r"https?://[^\s<>\"'`{}|\\^]+")
_YES, _NO = ("yes", "true"), ("no", "false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """What a schema says about the images of a dataset of one's own, besides `attribution`; empty where it is silent.

    It is no part of the schema's digest: it changes no label.
    """

    home: str = ""
    """Where the images are to be had, as a sentence or an address."""
    citation: str = ""
    """How to cite the dataset: a sentence, or BibTeX with its lines."""
    image_licence: str = ""
    """SPDX id of the licence of the images."""
    share_images: bool | None = None
    """Whether the images may be passed on; None if the schema does not say."""
    contact: str = ""
    """Where to report a wrong label: an address of the web or of mail, or a sentence. It is about the labels."""

    licence_link: str = ""
    """Address of a licence of the labels that nobody lists, such as `LicenseRef-acme`."""

    @property
    def given(self) -> tuple[str, ...]:
        """The keys that the schema has."""
        return tuple(key for key in KEYS if getattr(self, key) not in ("", None))

    @property
    def about_images(self) -> tuple[str, ...]:
        """Those of them that speak of the images."""
        return tuple(key for key in self.given if key not in ("licence_link", "contact"))

    @property
    def web_home(self) -> str:
        """`home` where it is an address of the web; else empty."""
        return self.home if self.home.startswith(("https://", "http://")) else ""


def read(reader: NodeReader, parts: Mapping[str, Spot], head: dict[str, str]) -> Publisher:
    """What the schema says to publishers. Writes the licence in `head` as its SPDX id; labels without a licence of
    their own have that of the images."""
    spot = parts.get("image_licence")
    image_licence = _licence(reader, spot, reader.text(spot))
    head["licence"] = _licence(reader, parts.get("licence"), head["licence"]) or image_licence or licences.UNKNOWN
    return Publisher(
        home=reader.text(parts.get("home")),
        citation=reader.lines(parts.get("citation")),
        image_licence=image_licence,
        share_images=yes_or_no(reader, parts.get("share_images")),
        licence_link=_address(reader, parts.get("licence_link")),
        contact=reader.text(parts.get("contact")),
    )


def _licence(reader: NodeReader, spot: Spot | None, text: str) -> str:
    """The SPDX id of the licence that a place names with a text; empty without one."""
    if spot is None or not text:
        return ""
    try:
        return licences.spdx(text)
    except AcbenchError as error:
        reader.problem(spot, f"{error.message}: {error.hint}")
        return ""


def _address(reader: NodeReader, spot: Spot | None) -> str:
    """An address of the web; empty without one."""
    text = reader.text(spot)
    if spot is not None and text and not _ADDRESS.fullmatch(text):
        reader.problem(spot, f"{text!r} is no address of the web, such as https://acme.example/licence")
    return text


def yes_or_no(reader: NodeReader, spot: Spot | None) -> bool | None:
    text = reader.text(spot).lower()
    if spot is not None and text and text not in (*_YES, *_NO):
        reader.problem(spot, f"{text!r} is neither yes nor no")
    return True if text in _YES else False if text in _NO else None
