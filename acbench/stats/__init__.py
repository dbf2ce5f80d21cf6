"""Values with intervals, agreement of raters, and calibration: thin over scipy, scikit-learn and others.

numpy and the libraries are imported when a function is called: most commands call none.
"""

from acbench.stats.agreement import (
    AlternativeAnnotatorTest,
    ClassSet,
    alternative_annotator,
    cohen_kappa,
    fleiss_kappa,
    kappa,
    krippendorff_alpha,
    masi,
)
from acbench.stats.calibration import Calibration, CalibrationBin, calibration
from acbench.stats.estimate import Estimate, EstimateJson, IntervalJson, rate

__all__ = [
    "AlternativeAnnotatorTest",
    "Calibration",
    "CalibrationBin",
    "ClassSet",
    "Estimate",
    "EstimateJson",
    "IntervalJson",
    "alternative_annotator",
    "calibration",
    "cohen_kappa",
    "fleiss_kappa",
    "kappa",
    "krippendorff_alpha",
    "masi",
    "rate",
]
