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

from xml.sax import saxutils

from lxml import etree

from annotations.cvat_xml import check_kinds, sorted_attributes
from annotations.model import Annotation, Object
from annotations.safe_xml import at, box, document, label, number, text, whole
from stage import frames
from stage.errors import StageError

ROOT = "annotation"
EDGES = ("xmin", "ymin", "xmax", "ymax")
UNSET = ("0", "", "false", "False")


def read(content: bytes, where: str) -> Annotation:
    """Read one VOC file; where names it in errors."""
    root = document(content, where)
    if root.tag != ROOT:
        raise StageError(f"{at(root, where)}: <{ROOT}> is expected, found <{root.tag}>")
    picture = text(root, "filename", where)
    if not frames.inside(picture):
        raise StageError(f"{at(root, where)}: {picture[:40]!r} is no picture's name; export again")
    objects = tuple([_object(element, where) for element in root.iterchildren("object")])
    return Annotation(
        picture,
        whole(text(root, "size/width", where), "width", root, where),
        whole(text(root, "size/height", where), "height", root, where),
        objects,
    )


def _object(element: etree._Element, where: str) -> Object:
    """Read an <object>; going through its children once is what makes reading fast."""
    texts: dict[str, str] = {}
    edges: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    for child in element:
        if child.tag == "bndbox":
            edges = {str(edge.tag): edge.text or "" for edge in child}
        elif child.tag == "attributes":
            pairs = [_pair(each, where) for each in child]
        else:
            texts[child.tag] = child.text or ""
    lacking = ["name"] if not texts.get("name", "").strip() else []
    lacking += [f"bndbox/{edge}" for edge in EDGES if not edges.get(edge)]
    if lacking:
        raise StageError(f"{at(element, where)}: <object> lacks <{lacking[0]}>; export again")
    check_kinds(pairs, element, where)
    rotation = next((value for name, value in pairs if name == "rotation"), "0")
    turned = number(rotation, "rotation", element, where)
    attributes, flags = sorted_attributes(tuple(pairs), turned)
    return Object(
        label=label(texts["name"], element, where),
        box=box({edge: edges[edge] for edge in EDGES}, element, where),
        rotation=turned,
        occluded=texts.get("occluded", "0") not in UNSET,
        truncated=texts.get("truncated", "0") not in UNSET or "truncated" in flags,
        difficult=texts.get("difficult", "0") not in UNSET or "difficult" in flags,
        pose=texts.get("pose", ""),
        attributes=attributes,
    )


def _pair(element: etree._Element, where: str) -> tuple[str, str]:
    """Read an <attribute>, whose first two children are a name and a value."""
    if len(element) != 2 or not element[0].text:
        raise StageError(f"{at(element, where)}: <attribute> lacks <name> or <value>; export again")
    return element[0].text, element[1].text or ""


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


def escape(text: str) -> str:
    """Return text as XML; a carriage return that is not escaped would be read as a line feed."""
    return saxutils.escape(text, {"\r": "&#13;"})


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
