"""Pascal VOC 1.1: one XML file a picture.

<annotation>
  <folder>JPEGImages</folder>
  <filename>frame_000000.PNG</filename>
  <size><width>640</width><height>480</height><depth>3</depth></size>
  <object>
    <name>Car</name><truncated>0</truncated><occluded>0</occluded><difficult>0</difficult>
    <bndbox><xmin>10.0</xmin><ymin>20.5</ymin><xmax>110.0</xmax><ymax>60.25</ymax></bndbox>
    <attributes><attribute><name>type</name><value>suv</value></attribute></attributes>
  </object>
</annotation>
"""

from xml.sax.saxutils import escape

from lxml import etree

from annotations.model import Annotation, Box, Object
from annotations.safe_xml import at, box, document, text, whole
from stage.errors import StageError

ROOT = "annotation"
EDGES = ("xmin", "ymin", "xmax", "ymax")


def read(content: bytes, where: str) -> Annotation:
    """Read one VOC file; where names it in errors."""
    root = document(content, where)
    if root.tag != ROOT:
        raise StageError(f"{at(root, where)}: <{ROOT}> is expected, found <{root.tag}>")
    return Annotation(
        picture=text(root, "filename", where),
        width=whole(text(root, "size/width", where), "width", root, where),
        height=whole(text(root, "size/height", where), "height", root, where),
        objects=tuple(_object(element, where) for element in root.iterfind("object")),
    )


def _object(element: etree._Element, where: str) -> Object:
    return Object(
        label=text(element, "name", where),
        box=_box(element, where),
        occluded=_flag(element, "occluded"),
        truncated=_flag(element, "truncated"),
        difficult=_flag(element, "difficult"),
        pose=element.findtext("pose") or "",
        attributes=tuple(
            (text(each, "name", where), each.findtext("value") or "")
            for each in element.iterfind("attributes/attribute")
        ),
    )


def _flag(element: etree._Element, name: str) -> bool:
    return (element.findtext(name) or "0").lower() not in ("0", "false")


def _box(element: etree._Element, where: str) -> Box:
    values = [text(element, f"bndbox/{edge}", where) for edge in EDGES]
    return box(dict(zip(EDGES, values, strict=True)), element, where)


def write(annotation: Annotation) -> bytes:
    """Return the VOC file of one picture."""
    size = f"<width>{annotation.width}</width><height>{annotation.height}</height><depth>3</depth>"
    return (
        f"<{ROOT}>\n"
        "  <folder>JPEGImages</folder>\n"
        f"  <filename>{escape(annotation.picture)}</filename>\n"
        f"  <size>{size}</size>\n"
        "  <segmented>0</segmented>\n"
        f"{''.join(_written(each) for each in annotation.objects)}"
        f"</{ROOT}>\n"
    ).encode()


def _written(each: Object) -> str:
    edges = (each.box.xmin, each.box.ymin, each.box.xmax, each.box.ymax)
    box = "".join(f"<{n}>{round(v, 2)}</{n}>" for n, v in zip(EDGES, edges, strict=True))
    pose = f"    <pose>{escape(each.pose)}</pose>\n" if each.pose else ""
    attributes = "".join(
        f"      <attribute><name>{escape(n)}</name><value>{escape(v)}</value></attribute>\n"
        for n, v in each.attributes
    )
    return (
        "  <object>\n"
        f"    <name>{escape(each.label)}</name>\n"
        f"{pose}"
        f"    <truncated>{each.truncated:d}</truncated>\n"
        f"    <occluded>{each.occluded:d}</occluded>\n"
        f"    <difficult>{each.difficult:d}</difficult>\n"
        f"    <bndbox>{box}</bndbox>\n"
        + (f"    <attributes>\n{attributes}    </attributes>\n" if attributes else "")
        + "  </object>\n"
    )
