"""What the benchmarks work on: exports as CVAT writes them, of any size, always the same."""

import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

from stage import frames

LABELS = ("Car", "Bicycle", "Person", "Tree")
KEPT = LABELS[:3]
SIZE = (1280, 720)

PARAMETERS = f"annotations:\n  valid-labels: [{', '.join(KEPT)}]\n"

VOC = """<annotation>
  <folder>frame</folder>
  <filename>{name}</filename>
  <source>
    <database>Unknown</database>
    <annotation>Unknown</annotation>
    <image>Unknown</image>
  </source>
  <size>
    <width>1280</width>
    <height>720</height>
    <depth></depth>
  </size>
  <segmented>0</segmented>
{objects}</annotation>
"""

OBJECT = """  <object>
    <name>{label}</name>
    <truncated>0</truncated>
    <occluded>{occluded}</occluded>
    <difficult>0</difficult>
    <bndbox>
      <xmin>{x:.2f}</xmin>
      <ymin>{y:.2f}</ymin>
      <xmax>{right:.2f}</xmax>
      <ymax>{low:.2f}</ymax>
    </bndbox>
    <attributes>
      <attribute>
        <name>rotation</name>
        <value>0.0</value>
      </attribute>
      <attribute>
        <name>track_id</name>
        <value>{track}</value>
      </attribute>
      <attribute>
        <name>keyframe</name>
        <value>{keyframe}</value>
      </attribute>
    </attributes>
  </object>
"""

SHAPE = (
    '    <box frame="{frame}" keyframe="{keyframe}" outside="0" occluded="{occluded}" '
    'xtl="{x:.2f}" ytl="{y:.2f}" xbr="{right:.2f}" ybr="{low:.2f}" z_order="0">\n    </box>\n'
)


def dataset(root: Path, count: int) -> None:
    """Make the folder of a dataset: its frame index and params.yaml beside it."""
    root.mkdir(parents=True)
    (root.parent / "params.yaml").write_text(PARAMETERS, "utf-8")
    made = (
        frames.Frame(n, frames.name(n, ".PNG"), f"{n / 25:.6f}", *SIZE, f"{n:032x}")
        for n in range(count)
    )
    frames.write(made, root / frames.INDEX)


def voc(path: Path, count: int) -> None:
    """Write a 'PASCAL VOC 1.1' export of so many pictures, stored as CVAT stores it."""
    chance = random.Random(1)
    with zipfile.ZipFile(path, "w") as zipped:
        for number in range(count):
            objects = "".join(_object(chance, track) for track in range(number % 4 + 1))
            name = frames.name(number, "")
            zipped.writestr(
                f"Annotations/{name}.xml", VOC.format(name=f"{name}.PNG", objects=objects)
            )


def video(path: Path, size: int) -> int:
    """Write a 'CVAT for video 1.1' XML of about size bytes; return how many frames it has."""
    each, tracks = len(SHAPE.format(frame=12345, keyframe=0, **_box(random.Random(1)))), 20
    count = size // (each * tracks)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_video(count, tracks))
    return count


def _video(count: int, tracks: int) -> Iterator[str]:
    chance = random.Random(1)
    width, height = SIZE
    yield (
        "<annotations><version>1.1</version><meta><task><id>1</id><name>bench</name>"
        f"<size>{count}</size><mode>interpolation</mode><start_frame>0</start_frame>"
        f"<stop_frame>{count - 1}</stop_frame><frame_filter></frame_filter><original_size>"
        f"<width>{width}</width><height>{height}</height></original_size></task></meta>\n"
    )
    for track in range(tracks):
        yield f'  <track id="{track}" label="{LABELS[track % 4]}" source="manual">\n'
        for frame in range(count):
            yield SHAPE.format(frame=frame, keyframe=int(frame % 10 == 0), **_box(chance))
        yield "  </track>\n"
    yield "</annotations>\n"


def _object(chance: random.Random, track: int) -> str:
    keyframe = chance.random() < 0.1
    return OBJECT.format(label=LABELS[track], track=track, keyframe=keyframe, **_box(chance))


def _box(chance: random.Random) -> dict[str, float | int]:
    x, y = chance.uniform(0, 1000), chance.uniform(0, 500)
    right, low = x + chance.uniform(10, 250), y + chance.uniform(10, 200)
    return {"x": x, "y": y, "right": right, "low": low, "occluded": int(chance.random() < 0.2)}
