"""The datasets that acbench can read. Each source is a module here, named as the source; `Source` says what it offers.

Other packages add sources under the entry-point group `acbench.sources`.
"""

from acbench.data.sources._contract import FoundImage, Source
from acbench.data.sources._locate import DatasetLocation, locate
from acbench.data.sources._registry import get, names

__all__ = ["DatasetLocation", "FoundImage", "Source", "get", "locate", "names"]
