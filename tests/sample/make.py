"""Make the sample datasets: three small movies, and what CVAT would export for them.

Usage: python tests/sample/make.py [FOLDER]

Writes movie1, movie2 and movie3 into FOLDER, with the same bytes each time; by default into the
registry beside this file, from which the tests make theirs.
What the movies show stands in scene.py. It is written down in three ways that a registry meets:

- movie1: Matroska at a constant rate; "PASCAL VOC 1.1".
- movie2: MP4 at a variable rate; "CVAT for video 1.1", as a bare XML file.
- movie3: MP4 of a phone, stored lying on its side with a rotation tag; "CVAT for video 1.1"
  in a zip, of a task that takes every third frame from number 4 on.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape, quoteattr

import imageio_ffmpeg
import numpy as np

import scene
from scene import Box, Movie, Sight

# Movies

EXACT = ["-fflags", "+bitexact", "-flags", "+bitexact", "-threads", "1"]
"""No dates or random numbers in the file, and nothing that depends on the machine."""

H264 = ["-c:v", "libx264", "-qp", "18", "-g", "25", "-pix_fmt", "yuv420p"]
H264 += ["-x264-params", "cpu-independent=1:threads=1:lookahead-threads=1"]

BURSTS = "settb=1/1000,setpts='40*N+10*mod(N,3)+160*floor(N/8)'"
"""Times of frames as of a busy phone: 50, 50 or 20 ms apart, and a pause after every eighth."""


def ffmpeg(*options: str | Path, stdin: bytes = b"") -> None:
    """Run ffmpeg."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
    subprocess.run([*command, *map(str, options)], input=stdin, check=True)


def encode(pictures: Sequence[scene.Picture], file: Path, filters: str = "null") -> None:
    """Write pictures as an H.264 movie; each becomes exactly one frame."""
    height, width, _ = pictures[0].shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i", "-"]
    scaler = ["-sws_flags", "bicubic+accurate_rnd+full_chroma_int+bitexact"]
    timing = ["-vf", filters, "-fps_mode", "passthrough", "-enc_time_base", "1:1000"]
    shown = b"".join(picture.tobytes() for picture in pictures)
    ffmpeg(*raw, *scaler, *timing, *H264, *EXACT, file, stdin=shown)


def pictures_of(movie: Movie) -> list[scene.Picture]:
    """Every frame of a movie, as it is shown."""
    return [scene.draw(movie, frame) for frame in range(movie.frames)]


def encode_turned(pictures: Sequence[scene.Picture], file: Path) -> None:
    """Write pictures lying on their side, with a tag: turn 90 degrees to the left."""
    with TemporaryDirectory() as folder:
        lying = Path(folder, file.name)
        encode([np.rot90(picture, -1) for picture in pictures], lying)
        ffmpeg("-display_rotation", "90", "-i", lying, "-c", "copy", *EXACT, file)


# Tasks of CVAT


@dataclass(frozen=True)
class Attribute:
    """An attribute as it is set up in CVAT."""

    name: str
    mutable: bool
    input_type: str
    values: tuple[str, ...]


TYPE = Attribute("type", False, "select", ("suv", "van", "compact"))
TRUNCATED = Attribute("truncated", True, "checkbox", ("false",))

LABELS: dict[str, tuple[str, tuple[Attribute, ...]]] = {
    "Pedestrian": ("#ff6037", ()),
    "Bicycle": ("#32b76c", (TRUNCATED,)),
    "Car": ("#33ddff", (TYPE, TRUNCATED)),
    "Bird": ("#fafa37", ()),
}
"""Label -> its colour in CVAT, which is not that of the things, and its attributes."""


@dataclass(frozen=True)
class Task:
    """A task in CVAT: some frames of a movie."""

    id: int
    movie: Movie
    source: str
    start: int = 0
    step: int = 1

    @property
    def frames(self) -> range:
        """The numbers of the frames in the movie."""
        return range(self.start, self.movie.frames, self.step)


@dataclass(frozen=True)
class Mark:
    """One box of a track."""

    frame: int
    sight: Sight
    keyframe: bool
    outside: bool = False

    @property
    def label(self) -> str:
        """What the thing is."""
        return self.sight.thing.label

    @property
    def box(self) -> Box:
        """The box as it is exported."""
        return Box(*(round(edge, 2) for edge in self.sight.box.edges()))


def tracks(task: Task) -> list[list[Mark]]:
    """The boxes of every thing in a task, with one outside box where it goes away."""
    seen = {(frame, s.thing): s for frame in task.frames for s in scene.sights(task.movie, frame)}
    found = []
    for thing in task.movie.things:
        marks = []
        for frame in task.frames:
            before, now, after = (seen.get((frame + n * task.step, thing)) for n in (-1, 0, 1))
            if now:
                marks.append(Mark(frame, now, is_keyframe(before, now, after)))
            elif before:
                marks.append(Mark(frame, before, keyframe=True, outside=True))
        found.append(marks)
    return found


def is_keyframe(before: Sight | None, now: Sight, after: Sight | None) -> bool:
    """Whether an annotator must have set this box: the others follow from their neighbours."""
    if before is None or after is None:
        return True
    changed = (before.occluded, before.truncated) != (now.occluded, now.truncated)
    return changed or bends(before.box, now.box, after.box)


def bends(before: Box, now: Box, after: Box) -> bool:
    """Whether some edge does not move on as it did."""
    edges = zip(before.edges(), now.edges(), after.edges(), strict=True)
    return any(abs(first - 2 * second + third) > 0.001 for first, second, third in edges)


# XML

Lines = list[str]


def element(tag: str, content: str | Iterable[Lines] = "", **attributes: str) -> Lines:
    """The lines of an element, indented as CVAT does; content is text or the lines of elements."""
    start = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    if isinstance(content, str):
        return [f"<{tag}{start}>{escape(content)}</{tag}>"]
    inner = [f"  {line}" for lines in content for line in lines]
    return [f"<{tag}{start}>", *inner, f"</{tag}>"]


def document(lines: Lines) -> str:
    """Lines as a text."""
    return "".join(f"{line}\n" for line in lines)


# PASCAL VOC 1.1


def pascal_voc(task: Task) -> dict[str, str]:
    """Name -> text of the files in CVAT's export "PASCAL VOC 1.1"."""
    all_tracks = tracks(task)
    files = {"labelmap.txt": labelmap()}
    empty = []
    for frame in task.frames:
        name = f"frame_{frame:06}"
        objects = [
            voc_object(mark, number)
            for number, marks in enumerate(all_tracks)
            for mark in marks
            if mark.frame == frame and not mark.outside
        ]
        files[f"Annotations/{name}.xml"] = document(voc_annotation(task.movie, name, objects))
        if not objects:
            empty.append(name)
    files["ImageSets/Main/default.txt"] = document([f"frame_{frame:06}" for frame in task.frames])
    for kind in ("Action", "Layout", "Segmentation"):  # where CVAT lists just the empty frames
        files[f"ImageSets/{kind}/default.txt"] = document(empty)
    return files


def labelmap() -> str:
    """The labels with generated colours."""
    colours = ("128,0,0", "0,128,0", "128,128,0", "0,0,128")
    known = [f"{label}:{colour}::" for label, colour in zip(LABELS, colours, strict=True)]
    return document(["# label:color_rgb:parts:actions", "background:0,0,0::", *known])


def voc_annotation(movie: Movie, name: str, objects: Sequence[Lines]) -> Lines:
    """One frame."""
    source = [element(tag, "Unknown") for tag in ("database", "annotation", "image")]
    size = [
        element("width", str(movie.width)),
        element("height", str(movie.height)),
        element("depth"),
    ]
    return element(
        "annotation",
        [
            element("folder", "frame"),
            element("filename", f"{name}.PNG"),
            element("source", source),
            element("size", size),
            element("segmented", "0"),
            *objects,
        ],
    )


def voc_object(mark: Mark, track: int) -> Lines:
    """One box in a frame. CVAT takes truncated from the attribute and leaves it out of the list."""
    _, known = LABELS[mark.label]
    values = {"type": mark.sight.thing.kind} if TYPE in known else {}
    values |= {"rotation": "0.0", "track_id": str(track), "keyframe": str(mark.keyframe)}
    attributes = [
        element("attribute", [element("name", name), element("value", value)])
        for name, value in values.items()
    ]
    return element(
        "object",
        [
            element("name", mark.label),
            element("truncated", str(int(TRUNCATED in known and mark.sight.truncated))),
            element("occluded", str(int(mark.sight.occluded))),
            element("difficult", "0"),
            element("bndbox", voc_edges(mark.box)),
            element("attributes", attributes),
        ],
    )


def voc_edges(box: Box) -> list[Lines]:
    """The edges of a box, with as many decimals as they need."""
    edges = zip(("xmin", "ymin", "xmax", "ymax"), box.edges(), strict=True)
    return [element(name, str(float(edge))) for name, edge in edges]


# CVAT for video 1.1


def cvat_for_video(task: Task) -> str:
    """The text of CVAT's export "CVAT for video 1.1"."""
    boxes = [
        element("track", map(cvat_box, marks), id=str(n), label=marks[0].label, source="manual")
        for n, marks in enumerate(tracks(task))
    ]
    meta = [element("task", task_meta(task)), element("dumped", "2024-05-14 09:31:27.604182+00:00")]
    lines = element("annotations", [element("version", "1.1"), element("meta", meta), *boxes])
    return document(['<?xml version="1.0" encoding="utf-8"?>', *lines])


def task_meta(task: Task) -> list[Lines]:
    """What CVAT tells of a task."""
    job = task.id + 2
    size = len(task.frames)
    segment = [
        element("id", str(job)),
        element("start", "0"),
        element("stop", str(size - 1)),
        element("url", f"https://cvat.example.com/api/jobs/{job}"),
    ]
    owner = [element("username", "annotator"), element("email", "annotator@example.com")]
    shown = [
        element("width", str(task.movie.width)),
        element("height", str(task.movie.height)),
    ]
    return [
        element("id", str(task.id)),
        element("name", task.movie.name),
        element("size", str(size)),
        element("mode", "interpolation"),
        element("overlap", "0"),
        element("bugtracker"),
        element("created", "2024-05-13 08:02:10.157303+00:00"),
        element("updated", "2024-05-14 09:30:55.218640+00:00"),
        element("subset", "default"),
        element("start_frame", str(task.frames[0])),
        element("stop_frame", str(task.frames[-1])),
        element("frame_filter", f"step={task.step}" if task.step > 1 else ""),
        element("segments", [element("segment", segment)]),
        element("owner", owner),
        element("assignee"),
        element("labels", map(label_meta, LABELS)),
        element("original_size", shown),
        element("source", task.source),
    ]


def label_meta(label: str) -> Lines:
    """What CVAT tells of a label."""
    colour, attributes = LABELS[label]
    return element(
        "label",
        [
            element("name", label),
            element("color", colour),
            element("type", "any"),
            element("attributes", map(attribute_meta, attributes)),
        ],
    )


def attribute_meta(attribute: Attribute) -> Lines:
    """What CVAT tells of an attribute."""
    return element(
        "attribute",
        [
            element("name", attribute.name),
            element("mutable", str(attribute.mutable)),
            element("input_type", attribute.input_type),
            element("default_value", attribute.values[0]),
            element("values", "\n".join(attribute.values)),
        ],
    )


def cvat_box(mark: Mark) -> Lines:
    """One box of a track, with the attributes that may change first."""
    _, known = LABELS[mark.label]
    values = {"type": mark.sight.thing.kind, "truncated": str(mark.sight.truncated).lower()}
    return element(
        "box",
        [
            element("attribute", values[attribute.name], name=attribute.name)
            for attribute in sorted(known, key=lambda attribute: not attribute.mutable)
        ],
        frame=str(mark.frame),
        keyframe=str(int(mark.keyframe)),
        outside=str(int(mark.outside)),
        occluded=str(int(mark.sight.occluded)),
        xtl=f"{mark.box.left:.2f}",
        ytl=f"{mark.box.top:.2f}",
        xbr=f"{mark.box.right:.2f}",
        ybr=f"{mark.box.bottom:.2f}",
        z_order="0",
    )


# Files


def archive(file: Path, members: dict[str, str]) -> None:
    """Write a zip as CVAT does, without compression, but sorted and with one date."""
    with zipfile.ZipFile(file, "w") as zipped:
        for name, text in sorted(members.items()):
            info = zipfile.ZipInfo(name, date_time=(2024, 5, 14, 9, 31, 28))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            zipped.writestr(info, text.encode())


def make(folder: Path) -> None:
    """Write the three datasets into a folder."""
    movie1, movie2, movie3 = (folder / movie.name for movie in scene.MOVIES)
    for dataset in (movie1, movie2, movie3):
        dataset.mkdir(parents=True, exist_ok=True)

    encode(pictures_of(scene.MOVIE1), movie1 / "movie.mkv")
    task = Task(11, scene.MOVIE1, "movie.mkv")
    archive(movie1 / "cvat-pascalvoc.zip", pascal_voc(task))

    encode(pictures_of(scene.MOVIE2), movie2 / "movie.mp4", filters=BURSTS)
    task = Task(12, scene.MOVIE2, "movie.mp4")
    (movie2 / "annotations.xml").write_bytes(cvat_for_video(task).encode())

    encode_turned(pictures_of(scene.MOVIE3), movie3 / "movie.mp4")
    task = Task(31, scene.MOVIE3, "movie.mp4", start=4, step=3)
    archive(movie3 / "annotations.zip", {"annotations.xml": cvat_for_video(task)})


def main(argv: Sequence[str] | None = None) -> int:
    """Make the datasets where the first argument says."""
    arguments = sys.argv[1:] if argv is None else argv
    make(Path(arguments[0]) if arguments else Path(__file__).parent / "registry/data")
    return 0


if __name__ == "__main__":
    sys.exit(main())
