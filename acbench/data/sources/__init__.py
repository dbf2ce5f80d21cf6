"""Data sets that can be read. A source is a module here whose name is its name; what it must offer is
`Source`.

Third parties add theirs through the entry-point group `acbench.sources`.
"""

from acbench.data.sources._contract import FoundImage, Source
from acbench.data.sources._place import DatasetLocation, locate
from acbench.data.sources._registry import get, names

__all__ = ["DatasetLocation", "FoundImage", "Source", "get", "locate", "names"]
