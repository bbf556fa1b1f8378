"""What CVAT exported: its format is told by what is in it, not by its name."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from annotations import cvat_video, pascal_voc, safe_xml
from annotations.model import Annotation
from stage import archive, frames
from stage.errors import StageError

ACCEPTED = "'PASCAL VOC 1.1' or 'CVAT for video 1.1'"


def read(source: Path, pictures: frames.Pictures) -> Iterator[Annotation]:
    """Yield the annotations of an export, a zip or a bare XML file, named as the export does."""
    if not archive.is_zip(source):
        with source.open("rb") as file:
            yield from _xml(file, str(source), pictures)
        return
    with archive.opened(source) as opened:
        names = [name for name in opened.names if name.lower().endswith(".xml")]
        voc = [name for name in names if name.startswith("Annotations/")]
        if "annotations.xml" in names and not voc:
            content = opened.read("annotations.xml")
            yield from _xml(BytesIO(content), f"{source}/annotations.xml", pictures)
        elif voc and len(voc) == len(names):
            for name in voc:
                yield _voc(opened.read(name), f"{source}/{name}", name)
        else:
            raise StageError(f"{source}: has no annotations of a known format; export {ACCEPTED}")


def _xml(stream: IO[bytes], where: str, pictures: frames.Pictures) -> Iterator[Annotation]:
    root = safe_xml.root(stream, where)
    if root.tag == "annotations":
        return cvat_video.read(stream, where, pictures)
    what = "is one picture's file" if root.tag == pascal_voc.ROOT else f"has the root <{root.tag}>"
    raise StageError(f"{where}: {what}, not an export of CVAT; export {ACCEPTED}")


def _voc(content: bytes, where: str, name: str) -> Annotation:
    """Read one file of a VOC export, which is named as the picture it describes."""
    annotation = pascal_voc.read(content, where)
    own = name.removeprefix("Annotations/").rpartition(".")[0]
    if frames.stem(annotation.picture) != own.casefold():
        raise StageError(f"{where}: is about {annotation.picture}; export again")
    return annotation
