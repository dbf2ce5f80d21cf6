"""Cuts the close-ups of a question: one for each marked place, from the original pixels.

Places that lie close together share a close-up; the largest come first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

    from acbench.data.regions import Box, Mask

MOST = 4
"""Close-ups of one image. Each costs as many tokens as a picture of its size."""
CLOSER = 1.5
"""A close-up has to show a place at least this many times as large as the full view does."""
ENLARGED = 4.0
"""Pixels of a close-up for one of the image, at most: more would only blur. A place is cut out with a square of at
least 0.15 of the image's shorter edge, so that a small spot is not shown without its surroundings."""
JOINED = 1.5
"""Places share a close-up if the square around both is at most this many times as wide as the narrower of their own: so
much smaller is the smaller one shown."""
SMALLER = 2 / 3
"""Edge of each of several close-ups, as a share of the edge of a single one, where that still is CLOSER: 512 pixels
are one tile of GPT-4o, 768 are four."""


class Cut(NamedTuple):
    """One close-up."""

    box: Box
    """The square of the image that it shows; it may pass the border."""
    places: int
    """Marked places in it."""
    edge: int
    """Its width and height, pixels."""
    times: float
    """How many times as large as in the full view."""


class Cuts(NamedTuple):
    """The close-ups of one image."""

    shown: tuple[Cut, ...]
    """The place with the largest marked area first."""
    large: int
    """Marked places that the full view shows as well."""
    left_out: int
    """Marked places beyond the bound."""
    many: bool
    """Whether there may be more places than are counted here."""


def plan(mask: Mask, edge: int) -> Cuts:
    """Plan the close-ups for a mask, bool[H, W], in questions whose pictures have a longer edge of `edge` pixels."""
    from acbench.data import mask_facts, regions  # imports scipy

    height, width = mask.shape
    full_view = min(1.0, edge / max(height, width))
    places = regions.components(mask, least=mask_facts.SPECK)
    groups = _joined([_Group.of(place) for place in places], (width, height))
    close: list[tuple[_Group, Box]] = []
    large = 0
    for group in groups:
        box = regions.square_around(group.bounds, (width, height))
        if min(edge / box.width, ENLARGED) / full_view >= CLOSER:
            close.append((group, box))
        else:
            large += group.places
    shown = []
    for group, box in close[:MOST]:
        one_of_several = len(close) > 1 and SMALLER * edge / box.width / full_view >= CLOSER
        longest = round(SMALLER * edge) if one_of_several else edge
        size = min(longest, max(1, round(ENLARGED * box.width)))
        shown.append(Cut(box, group.places, size, size / box.width / full_view))
    left_out = sum(group.places for group, _ in close[MOST:])
    return Cuts(tuple(shown), large, left_out, many=len(places) == regions.MAX_COMPONENTS)


def cut(image: Image.Image, close_up: Cut) -> Image.Image:
    """A close-up of an image, or of another one of the same size."""
    from PIL import Image

    from acbench.data import regions

    return Image.fromarray(regions.cut(image, close_up.box, close_up.edge))


class _Group(NamedTuple):
    """Places that share a close-up."""

    area: int
    """Marked pixels."""
    bounds: Box
    places: int

    @classmethod
    def of(cls, place: Mask) -> _Group:
        from acbench.data import regions

        box = regions.bounds(place)
        assert box is not None, "a component has pixels"
        return cls(int(place.sum()), box, 1)

    def with_(self, other: _Group) -> _Group:
        one, two = self.bounds, other.bounds
        both = one._replace(
            left=min(one.left, two.left),
            top=min(one.top, two.top),
            right=max(one.right, two.right),
            bottom=max(one.bottom, two.bottom),
        )
        return _Group(self.area + other.area, both, self.places + other.places)


def _joined(groups: list[_Group], size: tuple[int, int]) -> list[_Group]:
    """The groups, the largest first, after the nearest pair that is near enough was joined again and again."""

    from acbench.data import regions

    def edge(group: _Group) -> int:
        return regions.square_around(group.bounds, size).width

    while len(groups) > 1:
        pairs = [
            (edge(one.with_(two)) / min(edge(one), edge(two)), first, second)
            for first, one in enumerate(groups)
            for second, two in enumerate(groups[:first])
        ]
        apart, first, second = min(pairs)
        if apart > JOINED:
            break
        joined = groups[first].with_(groups[second])
        groups = [group for number, group in enumerate(groups) if number not in {first, second}] + [joined]
    return sorted(groups, key=lambda group: -group.area)
