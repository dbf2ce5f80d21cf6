"""Scores what a system answered against what is true, and measures how far people and proposers agree.

There are two views of the truth. `published`: one class an image, the classes of the published benchmark; images whose
label set has no class there are left out, and counted. `sets`: every accepted label set as it is; an answer is right if
it is exactly that set, and the Jaccard index says how near it comes. In both views every other item of the test split
counts: an answer that is missing, empty or names no class is wrong, and shown.
"""

from acbench.evaluation.api import compare, score
from acbench.evaluation.result import Scored

__all__ = ["Scored", "compare", "score"]
