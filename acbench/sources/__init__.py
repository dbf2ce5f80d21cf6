"""Data sets that can be read. A source is a module here whose name is its name; what it must offer is
`Source`.

Third parties add theirs through the entry-point group `acbench.sources`.
"""

from acbench.sources._contract import Found, Source
from acbench.sources._place import Place, locate
from acbench.sources._registry import get, names

__all__ = ["Found", "Place", "Source", "get", "locate", "names"]
