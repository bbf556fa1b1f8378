"""The readers that are fuzzed, each with small valid files to start from."""

import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import dataset_settings
import lineage
from annotations import dataset, exports, voc_file
from annotations.export_file import ANY, Choice
from annotations.model import Annotation, Box, Object
from stage import frames, parameters

Reading = Callable[[Path], object]

BROKEN_ZIP = (OSError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class Target:
    """Ways to read one kind of file.

    seconds: its share of the minute. name: of the file, whose suffix the readers look at. made:
    turns what the fuzzer mutates into the file's bytes.
    """

    seconds: int
    name: str
    readings: tuple[Reading, ...]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    made: Callable[[bytes], bytes] = bytes

    @property
    def dictionary(self) -> list[bytes]:
        """What mutations put in: the words of the seeds, and those that readers fall over."""
        found = {word for seed in self.seeds for word in re.findall(rb"[\w./:-]+|<[^>]*>", seed)}
        return sorted({*found, *self.words})


MOVIE = [frames.Frame(n, f"frame_{n:06}.PNG", f"{n}.000000", 64, 48, f"{n:032x}") for n in range(6)]
INDEX = frames.Pictures(MOVIE, Path("frames.csv"), complete=True)
FOLDER = frames.Pictures([frames.Frame(f.number, f.name) for f in MOVIE], Path("J"), complete=False)


def written(annotations: Iterable[Annotation]) -> object:
    """Read to the end; what was read must be something that can be written."""
    return deque((voc_file.write(each) for each in annotations), maxlen=0)


def export(path: Path, pictures: frames.Pictures, choice: Choice) -> object:
    """Read an export to the end."""
    with exports.open_export(path, pictures, choice) as opened:
        return written(opened.annotations), opened.deleted


EXPORTS: tuple[Reading, ...] = (
    partial(export, pictures=INDEX, choice=ANY),
    partial(export, pictures=FOLDER, choice=Choice(task="7", subset="Train")),
    partial(export, pictures=INDEX, choice=Choice(subset="Train", interpolate=True)),
)


def voc(path: Path) -> object:
    """Read one Pascal VOC file."""
    return written([voc_file.read(path.read_bytes(), str(path))])


def merged(path: Path) -> object:
    """Read the annotations of a dataset."""
    with dataset.open_annotations(path) as opened:
        return written(annotation for _, annotation in opened)


def read_settings(path: Path) -> object:
    """Read params.yaml as prepare-annotations does."""
    loaded = parameters.load(path)
    entry = loaded.section(dataset_settings.Dataset, ("datasets", "movie1"))
    return dataset_settings.read_annotations(loaded, "movie1"), str(entry.cvat_task)


def index(path: Path) -> object:
    """Read the frame index of a dataset's folder."""
    return [(frame, frames.stem(frame.name)) for frame in frames.find_pictures(path.parent)]


SEPARATOR = b"\x1e"


def files(data: bytes) -> bytes:
    """Return a sound zip, so that fuzzing gets past its checksums to the files in it.

    data: `name LF content` of each file, with a character between that XML cannot have.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two files with one name, which is what is tried
        for part in data.split(SEPARATOR):
            name, _, content = part.partition(b"\n")
            zipped.writestr(zipfile.ZipInfo(name.decode("utf-8", "replace") or "-"), content)
    return buffer.getvalue()


def archived(data: bytes, method: int, limit: int = zipfile.ZIP64_LIMIT) -> bytes:
    """Return the same files in a zip of a kind; past limit, its numbers have 64 bits."""
    buffer = io.BytesIO()
    plain = zipfile.ZipFile(io.BytesIO(files(data)))
    with mock.patch("zipfile.ZIP64_LIMIT", limit), zipfile.ZipFile(buffer, "w", method) as zipped:
        for name in plain.namelist():
            zipped.writestr(name, plain.read(name))
    return buffer.getvalue()


VIDEO = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task>
<deleted_frames>2 5</deleted_frames><id>7</id><name>street</name><size>6</size>
<mode>interpolation</mode><start_frame>0</start_frame><stop_frame>5</stop_frame>
<frame_filter>step=1</frame_filter>
<original_size><width>64</width><height>48</height></original_size></task></meta>
<track id="0" label="Car" source="manual">
<box frame="0" keyframe="1" outside="0" occluded="1" xtl="1.5" ytl="2" xbr="30" ybr="20" z_order="0"
 rotation="12.5"><attribute name="type">suv</attribute></box>
<box frame="1" keyframe="1" outside="1" occluded="0" xtl="1" ytl="2" xbr="30" ybr="20"/></track>
<track id="1" label="Car">
<polygon frame="0" keyframe="1" outside="0" points="1,2;3,4;5.5,6"/>
<points frame="1" keyframe="0" outside="0" points="1,2"/>
<polyline frame="2" keyframe="0" points="1,2;3,4"/>
<ellipse frame="3" cx="9" cy="9" rx="4" ry="2" rotation="45"/>
<cuboid frame="4" xtl1="1" ytl1="1" xbl1="1" ybl1="9" xtr1="9" ytr1="1" xbr1="9" ybr1="9" xtl2="2"
 ytl2="2" xbl2="2" ybl2="8" xtr2="8" ytr2="2" xbr2="8" ybr2="8"/>
<mask frame="5" left="1" top="2" width="3" height="4" rle="1, 2"/></track>
<track id="2" label="body"><skeleton frame="0" keyframe="1"><points label="1" outside="0"
 points="1,2"/><points label="2" outside="1" points="5,6"/></skeleton></track></annotations>
"""

KEYFRAMES = b"""<annotations><meta><job><id>3</id><size>6</size></job>
<original_size><width>64</width><height>48</height></original_size></meta>
<track id="0" label="Car"><box frame="0" xtl="1" ytl="1" xbr="9" ybr="9" rotation="350"/>
<box frame="4" keyframe="1" outside="0" xtl="5" ytl="5" xbr="13" ybr="13" rotation="10"/>
</track></annotations>
"""

PROJECT = b"""<annotations><meta><project><id>1</id><tasks>
<task><deleted_frames/><id>6</id><name>south</name><size>3</size><subset>Train</subset></task>
<task><id>7</id><name>north</name><size>3</size><subset>Train</subset><start_frame>1</start_frame>
<original_size><width>64</width><height>48</height></original_size></task></tasks></project></meta>
<track id="0" label="Car" task_id="7" subset="Train"><box frame="4" keyframe="1" outside="0"
 xtl="1" ytl="1" xbr="9" ybr="9"/></track></annotations>
"""

IMAGES = b"""<annotations><meta><task><deleted_frames>1 3</deleted_frames><id>7</id><name>a</name>
<stop_frame>3</stop_frame><mode>annotation</mode></task></meta>
<image id="0" name="frame_000000.PNG" width="64" height="48">
<box label="Car" occluded="0" xtl="1" ytl="2.25" xbr="30" ybr="20" rotation="30"><attribute
 name="type">suv</attribute><attribute name="truncated">true</attribute></box>
<polygon label="Car" points="1,2;3,4;5.5,6"/><tag label="night"/></image>
<image id="1" name="frame_000001" width="64" height="48" task_id="7" subset="Train"/>
</annotations>
"""

OBJECT = Object("Car", Box(1, 2.25, 30, 20), "box", 12.5, occluded=True, pose="Left")
PICTURES = tuple(
    voc_file.write(Annotation(f.name, f.width, f.height, (OBJECT,))).replace(
        b"  </object>",
        b"<attributes><attribute><name>rotation</name><value>12.5</value></attribute><attribute>"
        b"<name>type</name><value>suv</value></attribute></attributes></object>",
    )
    for f in MOVIE[:2]
)

BOTH = SEPARATOR.join(
    f"Annotations/frame_{n:06}.xml\n".encode() + each for n, each in enumerate(PICTURES)
)
DATASET = BOTH.replace(b"Annotations/", b"")
SETS = SEPARATOR.join(
    (
        BOTH,
        b"ImageSets/Main/Train.txt\nframe_000000\nframe_000001\n",
        b"ImageSets/Main/Car_Train.txt\nframe_000000  1\nframe_000001 -1\n",
        b"labelmap.txt\n# label:color_rgb:parts:actions\nCar:1,2,3::\n",
    )
)
CVAT = b"annotations.xml\n" + KEYFRAMES

PARAMETERS = b"""datasets:
  movie1: {source: a.mp4, export: a.zip, cvat-task: 7, annotations: {keep-empty: yes, clip: No}}
frames:
  format: png
annotations: # all of them
  valid-labels: [Car, "Truck\\x41\\u00e9\\U0001F600", 'a b']
  concat-type-attribute: true
  concat-attribute: ""
  rename-labels: {Carsuv: Car, ? x : y}
  min-size: [1, 2.5e+3]
  rotated: circumscribe
  shapes:
    - polygon
  destination: Annotations.zip
publish:
  remote: |
    text
  other: >-
    folded
"""
TYPED = b"""%YAML 1.1
%TAG ! tag:yaml.org,2002:
---
annotations: !map
  valid-labels: !!seq [!!str 1, !<tag:yaml.org,2002:str> b]
  min-size: [!!int "0x1F", !!float "1:30.5"]
  clip: !!bool "on"
datasets: {movie1: {cvat-task: 0b1_1}}
publish: ~
...
"""

SMALL = tuple(
    b"annotations: {valid-labels: [a]}\n" + each
    for each in (
        b'publish: !!int "1"\n',
        b'publish: "\\U0001F600"\n',
        b"datasets: {movie1: {source: a, cvat-task: 0x1F}}\n",
    )
)

XML_WORDS = (
    *(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"&#0;", b"&#x10FFFF;", b"<![CDATA[", b"]]>"),
    *(b"<?b c?>", b"<!-- b -->", b'xmlns:a="b"', b"a:", b'encoding="utf-16"', b'encoding="cp037"'),
    *(b"<track", b"<image", b"<skeleton>", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\r", b" "),
    *(b"999999999", b"9999999", b"-1", b"-0", b"1e9", b"nan", b"inf", b"\xd9\xa1", b"..", b"../"),
)
ZIP_WORDS = (
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"),
    *(b"\xff" * n for n in (2, 4, 8)),
    *(b"\x01\x00\x08\x00", b"\x01\x00\x18\x00", b"\x0c\x00", b"\x0e\x00", b"\x00" * 8, b"\x80"),
)
YAML_WORDS = (
    *(b"!!int ", b"!!float ", b"!!bool ", b"!!null ", b"!!str ", b"!!map ", b"!!seq ", b"!!set "),
    *(b'""', b"''", b'"\\U', b'"\\x', b"UFFFFFFFF", b"0x", b"0o7", b"0b", b"1:59", b"_", b".inf"),
    *(b".nan", b"*a", b"&a ", b"<<: ", b"? ", b"- ", b"[", b"{", b"]", b"}", b"|", b">-", b"%YAML"),
    *(b"0x" + b"f" * 3600, b"9" * 4400, b"1" + b":59" * 180 + b".", b"2001-01-01"),
)
CSV_WORDS = (b'"', b'""', b"\r", b"\x0b", b"\x1c", b"\xe2\x80\xa8", b"\x00", b"\xef\xbb\xbf", b"..")

FRAMES = ",".join(frames.HEADER) + "".join(
    f"\n{f.number},{f.name},{f.time},{f.width},{f.height},{f.hash}" for f in MOVIE[:2]
)
LINEAGE = (
    'picture,dataset,original,sha256\nmovie1__a.PNG,movie1,a.PNG,00\nb__"c d",b,"""c d""",ff\n'
)

TARGETS = {
    "video": Target(12, "a.xml", EXPORTS, (VIDEO, KEYFRAMES, PROJECT), XML_WORDS),
    "images": Target(6, "a.xml", EXPORTS, (IMAGES,), XML_WORDS),
    "voc": Target(6, "a.xml", (voc,), PICTURES, XML_WORDS),
    "zipped": Target(7, "a.zip", EXPORTS, (SETS, BOTH, CVAT), XML_WORDS, files),
    "zip": Target(
        7,
        "a.zip",
        (EXPORTS[0], merged),
        (
            *(archived(BOTH, method) for method in (0, 8, 14)),
            archived(DATASET, 12),
            archived(CVAT, 8),
            archived(BOTH, 0, limit=10),
        ),
        ZIP_WORDS,
    ),
    "dataset": Target(3, "Annotations.zip", (merged,), (DATASET,), XML_WORDS, files),
    "parameters": Target(
        12, "params.yaml", (read_settings,), (PARAMETERS, TYPED, *SMALL), YAML_WORDS
    ),
    "index": Target(3, "frames.csv", (index,), (FRAMES.encode(),), CSV_WORDS),
    "lineage": Target(2, "merge.csv", (lineage.read,), (LINEAGE.encode(),), CSV_WORDS),
    "labelmap": Target(
        2,
        "labelmap.txt",
        (dataset.read_labelmap,),
        (f"{dataset.LABELMAP}\n{dataset.BACKGROUND}\nCar:1,2,3::\n\n".encode(),),
        CSV_WORDS,
    ),
}
