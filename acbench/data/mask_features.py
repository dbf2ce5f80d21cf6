"""Describes a defect in numbers: the shape of its mask, its place on the product, and the colours under it.

A classifier reads them beside the vectors of an image model, to which all defects are of one size. None depends on the
size of the image: lengths are shares of its shorter edge or of the product, and many are logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, spatial  # type: ignore[import-untyped, unused-ignore]

from acbench.data.foreground import Product, find_product
from acbench.data.mask_facts import arc
from acbench.data.regions import Box, Mask, bounds, longest_extent

Numbers = NDArray[np.float32]
Points = NDArray[np.float64]

FINE = 256
"""The longer edge of the box around a mask on which thickness and places are measured, pixels."""
POINTS = 4096
"""Marked pixels that moments and places are taken of, about: more change no digit that matters."""
RING = (1, 12)
"""Distances from a mask, in pixels of a crop, between which its surroundings lie."""
ROUNDISH = 1.05
"""A product at most this much longer than wide has no axis."""


class MaskFeatures(NamedTuple):
    """The numbers of one defect, in three groups."""

    shape: Numbers
    """(26,): area, extents, moments, solidity, thickness, places, and where on the image it lies."""
    place: Numbers
    """(16,): where on the product it lies, and in which direction; zeros and the image's own where none is found."""
    colour: Numbers
    """(35,): brightness and colour inside, around, and their difference."""


@dataclass(frozen=True)
class _Spread:
    """The moments of some points."""

    centre: Points
    """(2,): x, y."""
    offsets: Points
    """(N, 2) from the centre."""
    lengths: tuple[float, float]
    """Standard deviations along the long and the short axis."""
    axis: Points
    """(2,): unit vector of the long axis."""


def describe(image: Image.Image, mask: Mask, crop: NDArray[np.uint8], area: NDArray[np.float32]) -> MaskFeatures:
    """The numbers of what `mask`, bool[H, W], marks on an RGB image; of the whole image if it marks nothing.

    `crop` (S, S, 3) and `area` (S, S), the share of each pixel that is marked, show the defect and its surroundings.
    """
    box = bounds(mask)
    if box is None:
        mask, area = np.ones_like(mask), np.ones_like(area)
        box = Box(0, 0, mask.shape[1], mask.shape[0])
    inside = mask[box.top : box.bottom, box.left : box.right]
    points = _points(inside) + np.array([box.left, box.top])
    spread, longest = _spread(points), longest_extent(inside)
    return MaskFeatures(
        _numbers(_shape(mask, box, spread, longest)),
        _numbers(_place(mask, spread, points, longest, find_product(image))),
        _numbers(_colour(crop, area)),
    )


def _numbers(values: list[float]) -> Numbers:
    return np.nan_to_num(np.array(values, dtype=np.float32), posinf=0, neginf=0)


def _points(mask: Mask) -> Points:
    """Pixel centres (N, 2) of a mask, evenly thinned out."""
    marked = np.flatnonzero(mask)
    rows, columns = np.divmod(marked[:: -(-marked.size // POINTS)], mask.shape[1])
    return np.stack([columns + 0.5, rows + 0.5], axis=1)


def _spread(points: Points) -> _Spread:
    centre = points.mean(axis=0)
    offsets = points - centre
    covariance = offsets.T @ offsets / len(points) + np.eye(2) / 12  # a pixel is a square, not a point
    variances, axes = np.linalg.eigh(covariance)
    return _Spread(centre, offsets, (float(variances[1] ** 0.5), float(variances[0] ** 0.5)), axes[:, 1])


# Shape


def _shape(mask: Mask, box: Box, spread: _Spread, longest: float) -> list[float]:
    height, width = mask.shape
    shorter = min(height, width)
    (long, short), (right, down) = spread.lengths, spread.axis
    inside = mask[box.top : box.bottom, box.left : box.right]
    marked = np.count_nonzero(inside)
    step = -(-max(inside.shape) // FINE)
    fine = np.pad(inside[::step, ::step], 1)
    if not fine.any():
        fine = np.pad(np.ones((1, 1), dtype=np.bool_), 1)
    thickest = float(ndimage.distance_transform_edt(fine).max()) * step
    outline = np.count_nonzero(fine & ~ndimage.binary_erosion(fine)) * step
    x, y = spread.centre / (width, height) - 0.5
    direction = (long - short) / (long + short)
    border = min(box.left, box.top, width - box.right, height - box.bottom) / shorter
    return [
        np.log(marked / mask.size),
        np.log(box.width / shorter),
        np.log(box.height / shorter),
        np.log(max(box.width, box.height) / shorter),
        np.log(longest / shorter),
        abs(np.log(box.width / box.height)),
        np.log(box.width / box.height),
        marked / (box.width * box.height),
        np.log(long / shorter),
        np.log(short / shorter),
        np.log(long / short),
        direction * (right**2 - down**2),
        direction * 2 * right * down,
        marked / _hull(inside),
        np.log(outline**2 / marked),
        *_places(fine),
        np.log(thickest / shorter),
        thickest / marked**0.5,
        np.log(np.count_nonzero(ndimage.binary_fill_holes(fine)) / np.count_nonzero(fine)),
        x,
        y,
        abs(x),
        abs(y),
        float(np.hypot(x, y)),
        min(border, 0.2),
    ]


def _hull(mask: Mask) -> float:
    """The area of the convex hull of the marked pixels."""
    rows = np.flatnonzero(mask.any(axis=1))
    left = mask[rows].argmax(axis=1)
    right = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = [np.stack([x, y], axis=1) for x in (left, right) for y in (rows, rows + 1)]
    return float(spatial.ConvexHull(np.concatenate(corners)).volume)


def _places(mask: Mask) -> tuple[float, float]:
    """The logarithm of the number of places of some size, and the share of the largest one."""
    numbers, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(numbers.ravel())[1:]
    return float(np.log((areas >= 0.01 * areas.sum()).sum())), float(areas.max() / areas.sum())


# Place


def _place(mask: Mask, spread: _Spread, points: Points, longest: float, product: Product | None) -> list[float]:
    height, width = mask.shape
    if product is None:
        x, y = spread.centre / (width, height) - 0.5
        (long, short), (right, down) = spread.lengths, spread.axis
        level = (long - short) / (long + short) * (right**2 - down**2)
        share, far = np.log(np.count_nonzero(mask) / mask.size), float(np.hypot(x, y))
        return [0, x, y, abs(x), abs(y), far, 0, 1, level, abs(level), share, x, x, far, 0, 0]
    whole = _spread(_points(product.area) * product.scale)
    axis = _directed_axis(whole)
    across = np.array([-axis[1], axis[0]])
    along = whole.offsets @ axis
    middle, half = (along.max() + along.min()) / 2, max(1.0, float(np.ptp(along)) / 2)
    places = ((points - whole.centre) @ axis - middle) / half
    offset = spread.centre - whole.centre
    sideways = float(offset @ across) / max(1.0, float(np.abs(whole.offsets @ across).max()))
    depth = _depths(points, product) * product.scale / product.radius
    level = float(spread.axis @ axis) ** 2 * 2 - 1
    return [
        1,
        places.mean(),
        sideways,
        abs(places.mean()),
        abs(sideways),
        float(np.hypot(*offset)) / product.radius,
        depth.mean(),
        (depth > 0).mean(),
        level,
        abs(level),
        np.log(np.count_nonzero(mask) / product.pixels),
        places.min(),
        places.max(),
        depth.min(),
        np.log(longest / product.extent),
        (arc(mask, product) or 0) / 360 if product.is_round else 0,
    ]


def _directed_axis(whole: _Spread) -> Points:
    """The long axis of a product, towards its longer tail, so that a turned product has a turned axis."""
    if whole.lengths[0] < ROUNDISH * whole.lengths[1]:
        return np.array([1.0, 0.0])
    along = whole.offsets @ whole.axis
    return -whole.axis if float((along**3).mean()) < 0 else whole.axis


def _depths(points: Points, product: Product) -> NDArray[np.float64]:
    """How deep in the product's area points lie, in its pixels; negative outside of it."""
    area = product.area[::2, ::2]  # exact to two of its pixels, in a quarter of the time
    depth = ndimage.distance_transform_edt(np.pad(area, 1))[1:-1, 1:-1] - ndimage.distance_transform_edt(~area)
    columns, rows = (points / product.scale / 2).astype(np.intp).T
    height, width = area.shape
    depths: NDArray[np.float64] = depth[rows.clip(max=height - 1), columns.clip(max=width - 1)] * 2
    return depths


# Colour


def _colour(crop: NDArray[np.uint8], area: NDArray[np.float32]) -> list[float]:
    """Measure four channels (brightness, red and blue against it, saturation) and the gradient of the first."""
    pixels = crop.astype(np.float32) / 255
    brightness = pixels.mean(axis=2)
    against = [pixels[..., 0] - brightness, pixels[..., 2] - brightness]
    channels = np.stack([brightness, *against, pixels.max(axis=2) - pixels.min(axis=2)], axis=-1)
    gradient = ndimage.gaussian_gradient_magnitude(brightness, 1.0)
    inside = area >= 0.5 * area.max()
    around = _surroundings(area)
    edge = (area > 0) & (ndimage.minimum_filter(area, 3) <= 0)
    within, beside = channels[inside], channels[around]
    means, spreads = ([part.mean(axis=0) for part in (within, beside)], [_spreads(part) for part in (within, beside)])
    difference = means[0] - means[1]
    levels = np.quantile(within[:, 0], (0.05, 0.5, 0.95)) - np.median(beside[:, 0])
    steep = [float(np.log(gradient[part].mean() + 0.003)) for part in (inside, around, edge if edge.any() else inside)]
    groups = (*means, *spreads, difference, np.abs(difference), spreads[0] - spreads[1], levels, steep)
    return [*(float(value) for group in groups for value in group), steep[0] - steep[1]]


def _spreads(values: NDArray[np.float32]) -> NDArray[np.float32]:
    spreads: NDArray[np.float32] = np.log(values.std(axis=0) + 0.01)
    return spreads


def _surroundings(area: NDArray[np.float32]) -> Mask:
    outside = area <= 0
    if not outside.any():
        return np.ones_like(outside)
    distance = ndimage.distance_transform_edt(outside)
    ring = outside & (distance > RING[0]) & (distance <= RING[1])
    return np.asarray(ring if ring.any() else outside, dtype=np.bool_)
