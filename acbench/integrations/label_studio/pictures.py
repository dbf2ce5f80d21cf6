"""Makes pictures visible in Label Studio: shows folders that its server can read, or uploads files to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio.http import Connection
from acbench.integrations.label_studio.projects import Projects, mark
from acbench.review.annotation_tool import ToolProject

UPLOADS = 50
"""Pictures in one request."""

_ALBUM = "pictures"
_ALBUM_FORM = '<View><Image name="image" value="$image"/></View>'


@dataclass(frozen=True)
class Pictures:
    """The pictures that one server shows."""

    connection: Connection
    projects: Projects
    served: Path | None
    """The folder whose files the server shows from its own disk; None if pictures have to be sent to it."""

    def addresses(self, project: ToolProject, paths: Iterable[Path]) -> dict[Path, str]:
        unique = sorted(set(paths))
        if self.served is None:
            return self._uploaded(unique)
        for folder in sorted({path.parent for path in unique}):
            self._show_folder(project, folder)
        place = f"{self.connection.prefix}/data/local-files/?d="
        return {path: f"{place}{quote(path.relative_to(self.served).as_posix())}" for path in unique}

    def _show_folder(self, project: ToolProject, folder: Path) -> None:
        storages = self.connection.sdk.import_storage.local
        if not any(storage.path == str(folder) for storage in storages.list(project=project.number)):
            storages.create(project=project.number, path=str(folder), title="pictures", use_blob_urls=True)

    def _uploaded(self, paths: Sequence[Path]) -> dict[Path, str]:
        """Send what was not sent before. Names hold a hash of what is shown, so one name is one picture."""
        addresses = self._known()
        missing = [path for path in paths if path.name not in addresses]
        for start in range(0, len(missing), UPLOADS):
            files = [(path.name, (path.name, path.read_bytes(), "image/jpeg")) for path in missing[start:][:UPLOADS]]
            # Not through the SDK, which has no call that uploads files.
            self.connection.post(
                f"/api/projects/{self._album}/import", params={"commit_to_project": "false"}, files=files
            )
        if missing:
            addresses = self._known()
        if unsent := [path.name for path in paths if path.name not in addresses]:
            raise AnnotationToolError(
                f"{self.connection.url} did not take {unsent[0]} and {len(unsent) - 1} other pictures", "run again"
            )
        return {path: addresses[path.name] for path in paths}

    @cached_property
    def _album(self) -> int:
        """The project that pictures are sent to: a project whose form shows more than one picture takes no uploads."""
        about = "Holds the pictures that acbench's projects show: leave it be."
        return self.projects.number_of(
            _ALBUM,
            {
                "title": "acbench: pictures",
                "description": f"{about} {mark(_ALBUM, _ALBUM_FORM)}",
                "label_config": _ALBUM_FORM,
            },
        )

    def _known(self) -> dict[str, str]:
        """Name of each picture that was sent before → its address. The server puts 8 hex before the name."""
        files = [upload.file for upload in self.connection.sdk.files.list(self._album, all_=True)]
        place = f"{self.connection.prefix}/data/"
        return {file.rpartition("/")[2].partition("-")[2]: f"{place}{file}" for file in files}
