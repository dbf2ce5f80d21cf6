"""Two systems on the same items: is the difference more than chance?"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from acbench.evaluation.metrics import defined, mean, outcome
from acbench.evaluation.predictions import ParsedAnswer
from acbench.evaluation.truth import Truth
from acbench.records import GOOD


def versus(
    truth: Truth, one: Mapping[str, ParsedAnswer], other: Mapping[str, ParsedAnswer], *, resamples: int, seed: int
) -> dict[str, Any]:
    """Differences in accuracy, first minus second, with paired bootstrap intervals, and McNemar's exact test.

    Items are drawn in pairs within each category: whatever is hard for both is drawn for both (see `figures`).
    McNemar's test (1947) asks whether the items that only one of them has right could as well be the other's; exact,
    two-sided.
    """
    from scipy.stats import binomtest

    counted: dict[str, Counter[tuple[bool, bool, bool]]] = {}
    for target in truth.targets:
        rights = (outcome(each.get(target.item_id)) == target.wanted for each in (one, other))
        counted.setdefault(target.category, Counter())[(target.wanted != (GOOD,), *rights)] += 1  # type: ignore[index]
    kinds = [(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
    anomalous = np.array([kind[0] for kind in kinds], dtype=float)
    ahead = np.array([float(first) - float(second) for _, first, second in kinds])
    sums = []
    for category, cells in sorted(counted.items()):
        counts = np.array([cells[kind] for kind in kinds])
        random = np.random.default_rng((seed, zlib.crc32(category.encode()), 1))
        drawn = np.vstack([counts, random.multinomial(counts.sum(), counts / counts.sum(), size=resamples)])
        sums.append(np.stack([drawn @ ahead, drawn.sum(axis=1), drawn @ (ahead * anomalous), drawn @ anomalous]))
    table = np.stack(sums)  # (categories, 4, R)
    with np.errstate(invalid="ignore"):
        shares = {"accuracy": table[:, 0] / table[:, 1], "accuracy_anomalous": table[:, 2] / table[:, 3]}
        whole = table.sum(axis=0)
        differences = {
            name: {"mean": mean(share), "pooled": whole[2 * row] / whole[2 * row + 1]}
            for row, (name, share) in enumerate(shares.items())
            if np.isfinite(share[:, 0]).any()
        }
    only_one, only_other = (
        sum(cells[kind] for cells in counted.values() for kind in kinds if kind[1:] == right)
        for right in ((True, False), (False, True))
    )
    discordant = only_one + only_other
    return {
        "items": len(truth.targets),
        "difference": {
            name: {scope: _interval(values) for scope, values in scopes.items()} for name, scopes in differences.items()
        },
        "mcnemar": {
            "only_first_right": only_one,
            "only_second_right": only_other,
            "p": float(binomtest(only_one, discordant, 0.5).pvalue) if discordant else 1.0,
        },
    }


def _interval(values: Any) -> dict[str, float | None]:
    low, high = np.nanquantile(values[1:], (0.025, 0.975)) if len(values) > 1 else (np.nan, np.nan)
    found = {"value": values[0], "low": low, "high": high}
    return {name: defined(value) for name, value in found.items()}
