"""What goes wrong, said once and said well."""

from __future__ import annotations


class AcbenchError(Exception):
    """A failure that a person can act on.

    `message` says what went wrong and where; `hint` is what to type or do next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class SourceError(AcbenchError):
    """The dataset folder is not what its source expects."""


class SchemaError(AcbenchError):
    """A label schema cannot be read or used."""


class StorageError(AcbenchError):
    """A table on disk is damaged or of another kind than expected."""


class TableError(AcbenchError):
    """A table that people or strangers made cannot be read; nothing of it was taken."""


class ReviewError(AcbenchError):
    """A file of human decisions was refused; nothing of it was taken."""


class AnnotationToolError(AcbenchError):
    """The review desk cannot do what it was asked."""


class LostConnection(AnnotationToolError):
    """The review desk did not answer: whether it did what it was asked is not known."""


class ImageError(AcbenchError):
    """An image or an anomaly mask cannot be used."""


class ReleaseError(AcbenchError):
    """A release cannot be made, read or trusted."""


class RemoteError(Exception):
    """A file system elsewhere does not answer: nothing is known of the files that it holds.

    No AcbenchError, since those say what is wrong with one image and become part of its record. This one ends a run.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    __str__ = AcbenchError.__str__
