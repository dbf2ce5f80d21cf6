"""Scores: what a system answered against what is true, so that nobody can argue with the figures.

Two views of the truth. `published`: one class an image, the classes of the published benchmark (`published_class`);
images whose label set has no place there are left out, and counted. `sets`: every accepted label set as it is; an
answer is right if it is exactly that set, and Jaccard says how near it comes. Every other item of the test split
counts, in both views: an answer that is missing, empty or names no class is wrong, and shown.
"""

from acbench.evaluation.api import compare, score
from acbench.evaluation.result import Scored

__all__ = ["Scored", "compare", "score"]
