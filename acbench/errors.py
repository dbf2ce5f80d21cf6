"""The errors of acbench: each says what is wrong, where, and what to do next."""

from __future__ import annotations


class HintedError(Exception):
    """An error that a person can act on.

    `message` says what went wrong and where; `hint` is what to type or do next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class RemoteError(HintedError):
    """A file system elsewhere does not answer: nothing is known of its files.

    It is no AcbenchError. Code that goes on after a broken image catches AcbenchError and records it as the image's
    problem; a server that does not answer is no image's problem, and ends the run.
    """


class AcbenchError(HintedError):
    """A failure that a person can act on; where one image is at work, a failure of that image alone."""


class SourceError(AcbenchError):
    """The dataset's folder is not as its source expects."""


class SchemaError(AcbenchError):
    """A label schema cannot be read or used."""


class StorageError(AcbenchError):
    """A file of acbench is damaged, or of another kind than expected."""


class ProjectBusy(AcbenchError):
    """Another command works on the project: it can be tried again once that has ended."""


class TableError(AcbenchError):
    """A table from people cannot be read; nothing of it was taken."""


class ReviewError(AcbenchError):
    """A file of human decisions was refused; nothing of it was taken."""


class AnnotationToolError(AcbenchError):
    """The annotation tool cannot do what it was asked."""


class LostConnection(AnnotationToolError):
    """The annotation tool did not answer: whether it did what it was asked is not known."""


class ImageError(AcbenchError):
    """An image or an anomaly mask cannot be used."""


class ReleaseError(AcbenchError):
    """A release cannot be made, read or trusted."""
