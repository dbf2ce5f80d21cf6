"""Label schemas: which classes a benchmark has, what they mean, and how the dataset's own labels map to them."""

from acbench.schema.model import Category, Change, DefectClass, Mapped, PublishedClass, Schema, fold
from acbench.schema.read import load, names

__all__ = ["Category", "Change", "DefectClass", "Mapped", "PublishedClass", "Schema", "fold", "load", "names"]
