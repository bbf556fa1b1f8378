"""Reading and writing Pascal VOC files."""

import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

import corpora
from annotations import voc_file
from annotations.model import Annotation, Box, Object
from stage.errors import StageError

FULL = Annotation(
    "sub/été 車.PNG",
    640,
    480,
    (
        Object(
            '<Car & "van">',
            Box(0, 0.5, 102.02, 480),
            occluded=True,
            pose="Left",
            rotation=30.0,
            attributes=(("note", ""), ("rotation", "30"), ("type", "suv & <x>")),
        ),
        Object("Bicycle", Box(1, 2, 3, 4), truncated=True, difficult=True),
    ),
)

FROM_CVAT = """\
<annotation>
  <folder>frame</folder>
  <filename>frame_000007.PNG</filename>
  <source><database>Unknown</database></source>
  <size><width>64</width><height>48</height><depth></depth></size>
  <segmented>0</segmented>
  <object>
    <name>Car</name>
    <occluded>{occluded}</occluded>
    <bndbox><xmin>102.02000000000001</xmin><ymin>-3.5</ymin><xmax>700</xmax><ymax>9</ymax></bndbox>
  </object>
</annotation>
"""


def test_a_file_is_read_as_it_was_written() -> None:
    assert voc_file.read(voc_file.write(FULL), "a.xml") == FULL


def test_what_is_matched_is_what_the_parser_finds() -> None:
    plain = [content for content in real_files() if b"&" not in content]

    assert len(plain) > 40
    for content in plain:
        assert voc_file._match(content) == voc_file._parse(content, "a.xml")


def real_files() -> Iterator[bytes]:
    """Every Pascal VOC file that CVAT exported."""
    for path in corpora.names("cvat/exported/*PASCAL_VOC*.zip"):
        with zipfile.ZipFile(corpora.path(path)) as zipped:
            names = (name for name in zipped.namelist() if name.startswith("Annotations/"))
            yield from map(zipped.read, names)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("frame_000007", "a&amp;b"),
        ("frame_000007", "<![CDATA[a]]>"),
        ("<name>Car", "<name a='b'>Car"),
        ("<name>Car", "<name><!-- no -->Car"),
        ("<name>Car", "<name>C\r\nar"),
        ("<name>", "<name>Bus</name><name>"),
        ("-3.5", "700.5"),
        ("<annotation>", "<?xml version='1.0' encoding='utf-8'?><annotation>"),
        ("<annotation>", "\N{ZERO WIDTH NO-BREAK SPACE}<annotation>"),
        ("</annotation>", "<more/></annotation>"),
        ("</annotation>", "</annotation><!-- end -->"),
        ("</annotation>", "</annotation>x"),
    ],
)
def test_what_cvat_does_not_write_is_the_parsers(old: str, new: str) -> None:
    plain = FROM_CVAT.format(occluded=0).replace(
        "<occluded>", "<truncated>0</truncated><occluded>"
    ).replace("<bndbox>", "<difficult>0</difficult><bndbox>")  # fmt: skip

    assert voc_file._match(plain.encode()) == voc_file._parse(plain.encode(), "a.xml")
    assert voc_file._match(plain.replace(old, new).encode()) is None


TURNED = Annotation(
    "a.PNG",
    64,
    48,
    (Object("Car", Box(1.5, 2, 3.5, 4), "box", 1.0, attributes=(("rotation", "1"),)),),
)


@pytest.mark.parametrize(
    "text", ["0.055555555555542924", "1e-05", "2.5E-300", "1e-999", "1.5e+06", "7e0", "-1e-7"]
)
def test_a_number_is_read_as_python_writes_it_and_can_be_merged(text: str) -> None:
    written = voc_file.write(TURNED).replace(b"<value>1<", f"<value>{text}<".encode())
    written = written.replace(b"<xmin>1.5<", f"<xmin>-{text.lstrip('-')}<".encode())
    found = voc_file.read(written, "a.xml")

    assert voc_file._match(written) == voc_file._parse(written, "a.xml") == found
    assert found.objects[0].rotation == float(text)
    assert found.objects[0].box.xmin == -abs(float(text))
    assert voc_file.read(voc_file.write(found), "a.xml").objects[0].label == "Car"


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "1e300", "1e7", "10e6", "1e-1000", "1_0", "12345678", "1.", ".5", "1e", "\u0661",
     "0x1", f"1.{'0' * 26}"],
)  # fmt: skip
def test_what_is_no_number_that_a_box_can_have_is_refused(text: str) -> None:
    for place in (b"<value>1<", b"<xmax>3.5<"):
        tag, _, _ = place.partition(b">")
        written = voc_file.write(TURNED).replace(place, tag + f">{text}<".encode())

        assert voc_file._match(written) is None
        with pytest.raises(StageError, match="which is no number"):
            voc_file.read(written, "a.xml")


def test_any_reader_of_xml_finds_it_where_the_devkit_has_it() -> None:
    root = ElementTree.fromstring(voc_file.write(FULL))

    assert root.tag == "annotation"
    assert [root.findtext(f"size/{side}") for side in ("width", "height", "depth")] == [
        "640",
        "480",
        "3",
    ]
    assert [each.findtext("name") for each in root.findall("object")] == [
        '<Car & "van">',
        "Bicycle",
    ]
    assert [root.findtext(f"object[2]/bndbox/{edge}") for edge in voc_file.EDGES] == list("1234")


def test_edges_have_two_decimals_at_most() -> None:
    written = voc_file.write(Annotation("a.PNG", 9, 9, (Object("Car", Box(1 / 3, 0, 2 / 3, 1)),)))

    assert b"<xmin>0.33</xmin>" in written
    assert b"<xmax>0.67</xmax>" in written


@pytest.mark.parametrize(
    ("written", "read"), [("0", False), ("1", True), ("False", False), ("True", True), ("", False)]
)
def test_an_old_file_of_cvat_is_read(written: str, read: bool) -> None:
    found = voc_file.read(FROM_CVAT.format(occluded=written).encode(), "a.xml")

    assert found == Annotation(
        "frame_000007.PNG",
        64,
        48,
        (Object("Car", Box(102.02000000000001, -3.5, 700, 9), occluded=read),),
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<filename>frame_000007.PNG</filename>", "", ":1: <annotation> lacks <filename>"),
        ("<width>64</width>", "<width>6.4e1</width>", ":1: width is '6.4e1', no whole number"),
        ("<name>Car</name>", "<name> </name>", ":7: <object> lacks <name>"),
        ("<xmax>700</xmax>", "", ":7: <object> lacks <bndbox/xmax>"),
        ("<xmax>700</xmax>", "<xmax>7_0</xmax>", ":7: xmax is '7_0', which is no number"),
        ("<xmax>700</xmax>", "<xmax>12345678</xmax>", ":7: xmax is '12345678', which is no"),
        ("<xmax>700</xmax>", "<xmax>7</xmax>", ":7: the box is inside out"),
        ("</annotation>", "", ": is no XML"),
        ("annotation>", "annotations>", ":1: <annotation> is expected, found <annotations>"),
    ],
)
def test_what_is_not_right_is_named_by_line(old: str, new: str, said: str) -> None:
    with pytest.raises(StageError) as raised:
        voc_file.read(FROM_CVAT.replace(old, new).encode(), "a.xml")

    assert said in str(raised.value)
