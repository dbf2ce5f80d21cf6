"""Label schemas: which classes a benchmark has, what they mean, and how the dataset's own labels map to them."""

from acbench.schema.class_names import NORMAL_LABELS, fold, is_normal, same_names
from acbench.schema.model import Boundary, Category, Change, DefectClass, MappedLabels, PublishedClass, Schema
from acbench.schema.read import argument, load, names

__all__ = [
    "NORMAL_LABELS",
    "Boundary",
    "Category",
    "Change",
    "DefectClass",
    "MappedLabels",
    "PublishedClass",
    "Schema",
    "argument",
    "fold",
    "is_normal",
    "load",
    "names",
    "same_names",
]
