"""Checks the images of a dataset together: duplicates, mixed pixel formats or sizes, and the range of 16-bit images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from acbench.data.mask_content import MaskContent
from acbench.records import Finding, Item

_SHOWN = 3
"""How many names or values a finding lists."""
_DEEP = 16
"""Bits of a channel of which some may be unused."""
_DIM = 64
"""An upper byte below this hints at data of fewer than 16 bits."""


def duplicates(items: Iterable[Item]) -> Iterator[Finding]:
    """Images with the same bytes: one finding for each set of folders that share some."""
    by_hash: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.sha256:
            by_hash[item.sha256].append(item)
    shared: defaultdict[tuple[str, ...], list[list[Item]]] = defaultdict(list)
    for same in by_hash.values():
        if len(same) > 1:
            shared[tuple(sorted({_folder(item.image) for item in same}))].append(same)
    for groups in shared.values():
        yield _duplicate(groups[0], sum(map(len, groups)))


def _duplicate(same: Sequence[Item], count: int) -> Finding:
    """The finding about some images with the same bytes, in folders that share `count` duplicates."""
    kind, hint = _kind(same)
    names = ", ".join(item.image for item in same[1 : 1 + _SHOWN])
    unnamed = count - min(len(same), 1 + _SHOWN)
    more = f", and so have {unnamed:,} more" if unnamed else ""
    return Finding(path=same[0].image, kind=kind, detail=f"it has the same bytes as {names}{more}", hint=hint)


def _kind(same: Collection[Item]) -> tuple[str, str]:
    """The kind of a duplicate, and what to do about it."""
    if len({item.split for item in same}) > 1:
        return "duplicate_across_splits", "a model has seen the test image in training: count it in one split only"
    if len({(item.category, item.anomalous, item.source_labels) for item in same}) > 1:
        return "duplicate_across_classes", "one image cannot be of two classes: find out which is right"
    return "duplicate", "it counts twice in every figure"


def mixed(items: Iterable[Item]) -> Iterator[Finding]:
    """Categories whose images differ in pixel format or size, which can give a class away."""
    by_category: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if not item.problem:
            by_category[item.category].append(item)
    for category, members in by_category.items():
        modes = [item.mode for item in members]
        sizes = [f"{item.width}×{item.height}" for item in members]
        for kind, noun, values in (("mixed_modes", "pixel formats", modes), ("mixed_sizes", "sizes", sizes)):
            counts = Counter(values)
            if len(counts) > 1:
                rarest = min(counts, key=lambda value: (counts[value], value))
                example = members[values.index(rarest)].image
                yield Finding(
                    path=category,
                    kind=kind,
                    detail=f"its images have {len(counts)} {noun}: {_most_frequent(counts)}; {example} is {rarest}",
                    hint="see that it does not go with the class",
                )


def used_bits(peaks: Mapping[str, tuple[Item, int | None]]) -> tuple[dict[str, int], list[Finding]]:
    """Category → bits that its 16-bit grey images use, where these are fewer than 16; and findings that say so.

    `peaks`: path of an image → its item, and `FileFacts.peak`.
    """
    grey: defaultdict[str, list[int]] = defaultdict(list)
    coloured: defaultdict[str, list[int]] = defaultdict(list)
    for item, peak in peaks.values():
        if peak is not None and not item.problem:
            (grey if item.mode.startswith("I") else coloured)[item.category].append(peak)
    bits = {category: max(8, max(values).bit_length()) for category, values in grey.items()}
    bits = {category: used for category, used in bits.items() if used < _DEEP}
    findings = [
        Finding(
            path=category,
            kind="used_range",
            detail=f"its {len(grey[category]):,} images of 16 bits use {used} of them (up to {max(grey[category]):,}):"
            f" they are shown and compared in the range 0 to {2**used - 1:,}",
            hint="images that use more bits, if they are added, make all of the category darker",
        )
        for category, used in bits.items()
    ]
    for category, values in coloured.items():
        detail = f"{len(values):,} of its images have 16 bits a colour, of which the upper eight are read"
        detail += f"; the brightest of them is {max(values)} of 255" if max(values) < _DIM else ""
        findings.append(
            Finding(path=category, kind="deep_colours", detail=detail, hint="8 bits a colour would choose the range")
        )
    return bits, findings


def marked_normal(path: str, mask: MaskContent, pixels: int) -> Finding:
    """The finding about the mask of an image that the dataset calls normal: an alarm, if it marks anything."""
    if not mask.marked:
        return Finding(path=path, kind="empty_normal_mask", detail="it marks nothing, and its image is called normal")
    return Finding(
        path=path,
        kind="marked_normal",
        detail=f"its image is called normal, and it marks {mask.marked:,} pixels ({mask.marked / pixels:.1%})"
        " of it: it is not used",
        hint="one of the two is wrong: look at both; a decision about the image settles it, and the mask can stay",
    )


def _most_frequent(counts: Counter[str]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{value} ({count:,})" for value, count in ordered[:_SHOWN]]
    return ", ".join([*shown, "…"] if len(counts) > _SHOWN else shown)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
