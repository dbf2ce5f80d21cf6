"""Toy datasets, and a fake of each foreign program: for tests, notebooks and people who extend acbench.

===================================================== ===========================================================
`toy_mvtec_ad`, `toy_visa`, `toy_layout`, `full_tree` a dataset on disk
`toy_table`, `toy_coco`, `toy_yolo`, `toy_voc`        a dataset on disk that a table or annotation files describe
`FakeModels`, `MemoryVectors`                         the models and the vector cache of a `Setup`
`FakeEndpoint`                                        an OpenAI-compatible endpoint, on loopback
`FakeAnnotationTool`                                  an annotation tool such as Label Studio, in memory
`FakeHub`                                             a repository on the Hugging Face Hub, in memory
===================================================== ===========================================================

`TOY_LAYOUTS` has a toy dataset in each layout that people's data comes in, and `dropped` tells which images a source
loses without a word. `BEHAVIOURS` says how real endpoints behave, and `behave` has a `FakeEndpoint` do so. The fakes
fail on demand: see `Fault` of `acbench.testing.endpoint` and `Failure`.
"""

from acbench.testing.annotated import TOY_CLASSES, MarkedToy, toy_coco, toy_images, toy_table, toy_voc, toy_yolo
from acbench.testing.annotation_tool import FakeAnnotationTool
from acbench.testing.behaviours import BEHAVIOURS, behave
from acbench.testing.endpoint import FakeEndpoint
from acbench.testing.failures import Failure, FailurePlan
from acbench.testing.hub import FakeHub
from acbench.testing.layouts import TOY_LAYOUTS, ToyImage, dropped, toy_layout
from acbench.testing.models import FakeModels, MemoryVectors
from acbench.testing.trees import (
    SIZE,
    TOY_MVTEC_AD,
    TOY_VISA,
    full_tree,
    tiny_image,
    tiny_jpeg,
    tiny_png,
    toy_mvtec_ad,
    toy_visa,
    write_image_anno,
)

__all__ = [
    "BEHAVIOURS",
    "SIZE",
    "TOY_CLASSES",
    "TOY_LAYOUTS",
    "TOY_MVTEC_AD",
    "TOY_VISA",
    "Failure",
    "FailurePlan",
    "FakeAnnotationTool",
    "FakeEndpoint",
    "FakeHub",
    "FakeModels",
    "MarkedToy",
    "MemoryVectors",
    "ToyImage",
    "behave",
    "dropped",
    "full_tree",
    "tiny_image",
    "tiny_jpeg",
    "tiny_png",
    "toy_coco",
    "toy_images",
    "toy_layout",
    "toy_mvtec_ad",
    "toy_table",
    "toy_visa",
    "toy_voc",
    "toy_yolo",
    "write_image_anno",
]
