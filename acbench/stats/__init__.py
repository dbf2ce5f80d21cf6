"""Values with intervals, agreement of raters, calibration, and bounds on what nobody has seen.

Most is thin over scipy, scikit-learn and others. numpy and the libraries are imported when a
function is called: most commands call none.
"""

from acbench.stats.agreement import (
    MIN_COMPARED,
    MIN_INTERVAL,
    AlternativeAnnotatorTest,
    ClassSet,
    alternative_annotator,
    cohen_kappa,
    fleiss_kappa,
    kappa,
    krippendorff_alpha,
    masi,
    why_no_coefficient,
)
from acbench.stats.bca import LeftOut, bca
from acbench.stats.calibration import Calibration, CalibrationBin, calibration
from acbench.stats.estimate import Estimate, EstimateJson, IntervalJson, rate
from acbench.stats.finite import FaultPrior, draws_needed, is_bounded, most_left
from acbench.stats.multiple import holm, sign_flips
from acbench.stats.scaling import IDENTITY, Scaling, cross_validated, fit_scaling

__all__ = [
    "IDENTITY",
    "MIN_COMPARED",
    "MIN_INTERVAL",
    "AlternativeAnnotatorTest",
    "Calibration",
    "CalibrationBin",
    "ClassSet",
    "Estimate",
    "EstimateJson",
    "FaultPrior",
    "IntervalJson",
    "LeftOut",
    "Scaling",
    "alternative_annotator",
    "bca",
    "calibration",
    "cohen_kappa",
    "cross_validated",
    "draws_needed",
    "fit_scaling",
    "fleiss_kappa",
    "holm",
    "is_bounded",
    "kappa",
    "krippendorff_alpha",
    "masi",
    "most_left",
    "rate",
    "sign_flips",
    "why_no_coefficient",
]
