"""The learner's work in the browser edition, as one file to download: ``download_work()``."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

from ...foundation.platform import STORAGE

NAME = "coursekit-work.zip"


class Download:
    """A link to a ZIP file, as a notebook shows it.

    files    the names of the files in it, relative to the folder that was packed
    content  the bytes of the ZIP file
    """

    def __init__(self, files: list[str], content: bytes) -> None:
        self.files, self.content = files, content

    def __repr__(self) -> str:
        return f"{NAME}: {self._size()}"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.content).decode()
        link = f'<a download="{NAME}" href="data:application/zip;base64,{data}">{NAME}</a>'
        return f"<p>{link}: {self._size()}</p>"

    def _size(self) -> str:
        return f"{len(self.files)} files, {len(self.content) / 1e6:.1f} MB"


def download_work(folder: Path = STORAGE) -> Download:
    """Pack every file of a folder into a ZIP file, and return the link to it.

    folder  default: all files of the browser edition, with the record of passed checks

    Unpacked as the folder coursekit-course, it is the working copy that ``coursekit lab`` opens.
    """
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != NAME
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.writestr(file, (folder / file).read_bytes())
    return Download(files, packed.getvalue())
