"""The datasets that acbench can read. Each source is a module here, named as the source; `Source` says what it offers.

Other packages add sources under the entry-point group `acbench.sources`.
"""

from acbench.data.sources._contract import ByCategory, FoundImage, Recognised, Source
from acbench.data.sources._locate import DatasetLocation, locate
from acbench.data.sources._originals import Comparison, Folder, Originals, compare, names_digest, originals
from acbench.data.sources._registry import get, is_bundled, names

__all__ = [
    "ByCategory",
    "Comparison",
    "DatasetLocation",
    "Folder",
    "FoundImage",
    "Originals",
    "Recognised",
    "Source",
    "compare",
    "get",
    "is_bundled",
    "locate",
    "names",
    "names_digest",
    "originals",
]
