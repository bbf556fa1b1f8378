"""Hostile XML: exports as 'CVAT for video 1.1' and 'CVAT for images 1.1', and files of Pascal VOC.

Nothing here attacks anybody: every secret is a file that a test writes, every address is of this
machine, and a test sees whether it was read or called.
"""

from collections.abc import Iterable, Mapping

CANARY = "CANARY-5f1c9e-do-not-leak"
CANARY_PATH = "/tmp/hostile-canary.txt"  # noqa: S108
"""A secret that must not be read, and where hostile files look for it."""

PORT = 18999
ADDRESS = f"http://127.0.0.1:{PORT}/ssrf"
"""An address that must not be called."""

LFS_POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
TASK = """<annotations>
  <version>1.1</version>
  <meta><task><id>12</id><name>t</name><size>10</size><mode>interpolation</mode><start_frame>0</start_frame><stop_frame>9</stop_frame>
    <original_size><width>64</width><height>48</height></original_size>
    <labels><label><name>Car</name></label></labels></task></meta>
{}</annotations>
"""
IMAGES = "<annotations><version>1.1</version>{}</annotations>\n"
SHAPE = (
    '    <box frame="{}" outside="{}" occluded="0" keyframe="1" '
    'xtl="{}" ytl="{}" xbr="{}" ybr="{}"></box>\n'
)
TRACK = '  <track id="{}" label="{}">\n{}  </track>\n'
IMAGE = '<image id="{}" name="{}" width="64" height="48">{}'
IMAGE_BOX = '<box label="Car" xtl="1" ytl="1" xbr="9" ybr="9"/></image>'
PICTURE = (
    "<annotation>\n  <folder>x</folder>\n  <filename>{}</filename>\n"
    "  <size><width>{}</width><height>{}</height><depth>3</depth></size>\n{}</annotation>\n"
)
OBJECT = (
    "  <object><name>{}</name><occluded>0</occluded><bndbox><xmin>{}</xmin><ymin>{}</ymin>"
    "<xmax>{}</xmax><ymax>{}</ymax></bndbox>{}</object>\n"
)

Edges = tuple[str, str, str, str]
EDGES: Edges = ("1", "1", "9", "9")


def track(number: int = 0, label: str = "Car", *boxes: tuple[str, Edges, str]) -> str:
    """A track of boxes: frame, edges and the flag `outside` of each; one box, if none is given."""
    drawn = (SHAPE.format(frame, out, *edges) for frame, edges, out in boxes or [("0", EDGES, "0")])
    return TRACK.format(number, label, "".join(drawn))


def at(*frames: str) -> str:
    """A task whose one track has boxes at these frames."""
    edges: list[Edges] = [EDGES, ("2", "2", "8", "8")]
    return task(track(0, "Car", *((n, edges[place], "0") for place, n in enumerate(frames))))


def task(*tracks: str) -> str:
    """An export of a movie of ten frames, 64x48 pixels each."""
    return DECLARATION + TASK.format("".join(tracks))


def labelled(*labels: str) -> str:
    """A task with a track of each label."""
    return task(*(track(number, label) for number, label in enumerate(labels)))


def images(names: Iterable[str]) -> str:
    """An export of pictures by these names, a box in each."""
    drawn = (IMAGE.format(number, name, IMAGE_BOX) for number, name in enumerate(names))
    return DECLARATION + IMAGES.format("".join(drawn))


def picture(
    filename: str = "frame_000000.PNG",
    objects: str | None = None,
    width: str = "64",
    height: str = "48",
) -> str:
    """A file of Pascal VOC: one picture with its objects; one object, if nothing is given."""
    return PICTURE.format(filename, width, height, thing() if objects is None else objects)


def thing(name: str = "Car", edges: Edges = EDGES, more: str = "") -> str:
    """An object of Pascal VOC."""
    return OBJECT.format(name, *edges, more)


def declared(prolog: str, export: str) -> str:
    """An export with something between its declaration and its root."""
    return DECLARATION + prolog + "\n" + export.removeprefix(DECLARATION)


GOOD = task(track())
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">\n' for n in range(1, 10))

ENTITIES = {
    "x01_xxe_file.xml": declared(
        f'<!DOCTYPE annotations [<!ENTITY x SYSTEM "file://{CANARY_PATH}">]>',
        task(track(0, "&x;")),
    ),
    "x02_xxe_http.xml": declared(
        f'<!DOCTYPE annotations [<!ENTITY x SYSTEM "{ADDRESS}/x02">]>',
        task('  <track id="0" label="Car"><attr>&x;</attr></track>\n'),
    ),
    "x03_xxe_parameter_entity.xml": declared(
        f'<!DOCTYPE annotations [<!ENTITY % p SYSTEM "{ADDRESS}/x03.dtd"> %p;]>', GOOD
    ),
    "x04_external_dtd.xml": declared(f'<!DOCTYPE annotations SYSTEM "{ADDRESS}/x04.dtd">', GOOD),
    "x05_billion_laughs.xml": DECLARATION
    + f'<!DOCTYPE annotations [<!ENTITY l0 "lol">\n{LAUGHS}]>\n'
    '<annotations><version>1.1</version><track id="0" label="&l9;"/></annotations>\n',
    "x06_quadratic_blowup.xml": DECLARATION
    + f'<!DOCTYPE annotations [<!ENTITY a "{"A" * 50_000}">]>\n'
    f'<annotations><track id="0" label="Car">{"&a;" * 10_000}</track></annotations>\n',
    "x07_entity_loop.xml": DECLARATION
    + '<!DOCTYPE annotations [<!ENTITY a "&b;"><!ENTITY b "&a;">]>\n'
    '<annotations><track id="0" label="Car">&a;</track></annotations>\n',
    "x08_benign_doctype.xml": declared("<!DOCTYPE annotations [<!ELEMENT annotations ANY>]>", GOOD),
    "x09_xinclude.xml": DECLARATION
    + '<annotations xmlns:xi="http://www.w3.org/2001/XInclude"><version>1.1</version>'
    f'<track id="0" label="Car"><xi:include href="file://{CANARY_PATH}" parse="text"/></track>'
    "</annotations>\n",
    "x10_stylesheet_pi.xml": declared(
        f'<?xml-stylesheet type="text/xsl" href="{ADDRESS}/x10.xsl"?>', GOOD
    ),
}
"""What asks a parser to read another file, to call an address or to grow without end."""

WIDE = " ".join(f'a{n}="1"' for n in range(20_000))
SIZES = {
    "x11_deep_nesting.xml": DECLARATION
    + f"<annotations>{'<a>' * 30_000}{'</a>' * 30_000}</annotations>\n",
    "x12_wide_attributes.xml": DECLARATION
    + f'<annotations><track id="0" label="Car" {WIDE}/></annotations>\n',
    "x13_long_text.xml": labelled("L" * 200_000),
}

NO_EXPORTS: dict[str, str | bytes] = {
    "x20_empty.xml": "",
    "x21_whitespace.xml": "\n \n",
    "x22_truncated.xml": task(track(), track(1))[:420],
    "x23_git_lfs_pointer.xml": LFS_POINTER,
    "x24_html_login_page.xml": "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>"
    "<body><form action=/login><br></form></body></html>\n",
    "x25_merge_conflict.xml": DECLARATION
    + f"<annotations>\n<<<<<<< HEAD\n{track()}=======\n{track(0, 'Bus')}"
    ">>>>>>> cvat_12_x\n</annotations>\n",
    "x26_wrong_root.xml": DECLARATION + '<svg><track id="0" label="Car"/></svg>\n',
    "x27_two_roots.xml": DECLARATION + "<annotations/><annotations/>\n",
    "x28_json.xml": '{"annotations": []}\n',
    "x29_zip_named.xml": b"PK\x03\x04" + bytes(26),
    "x30_voc_where_cvat_expected.xml": DECLARATION + picture(),
}

ENCODINGS: dict[str, str | bytes] = {
    "x31_utf16_good.xml": b"\xff\xfe" + GOOD.replace('"utf-8"', '"UTF-16"').encode("utf-16-le"),
    "x32_invalid_utf8.xml": labelled("Caf\udcff").encode("utf-8", "surrogateescape"),
    "x33_utf7_declared.xml": '<?xml version="1.0" encoding="UTF-7"?>\n'
    "<annotations>+ADw-script+AD4-</annotations>\n",
    "x34_unknown_encoding.xml": '<?xml version="1.0" encoding="x-evil-9"?>\n<annotations/>\n',
    "x35_bom_good.xml": "\N{ZERO WIDTH NO-BREAK SPACE}" + GOOD,
    "x36_control_char.xml": labelled("Ca&#1;r"),
    "x37_nul_bytes.xml": labelled("Ca\0r"),
    "x38_crlf_good.xml": GOOD.replace("\n", "\r\n"),
}

BOXES: dict[str, Edges] = {
    "nan": ("NaN", "1", "9", "9"),
    "inf": ("-INF", "1", "INF", "9"),
    "python_inf": ("-inf", "1", "1e400", "9"),
    "negative": ("-50", "-50", "-1", "-1"),
    "inverted": ("9", "9", "1", "1"),
    "zero_area": ("5", "5", "5", "5"),
    "huge": ("0", "0", "1e308", "1e308"),
    "outside_image": ("60", "40", "600", "400"),
    "comma_decimal": ("1,5", "1", "9,5", "9"),
    "hex": ("0x1", "1", "0x9", "9"),
    "empty": ("", "1", "9", "9"),
    "text": ("one", "1", "nine", "9"),
    "underscore": ("1_0", "1", "2_0", "9"),
    "unicode_digits": ("\u0661", "1", "\u0669", "9"),
    "million_digits": ("1" * 5000, "1", "9", "9"),
}
NUMBERS = {
    **{
        f"x40_box_{name}.xml": task(track(0, "Car", ("0", edges, "0")))
        for name, edges in BOXES.items()
    },
    "x41_box_missing_attribute.xml": task(
        '  <track id="0" label="Car"><box frame="0" xtl="1" ytl="1"/></track>\n'
    ),
}

FRAMES = {
    "x50_frame_span_bomb.xml": task(track(0, "Car", ("0", EDGES, "0"), ("2000000000", EDGES, "1"))),
    "x51_frame_negative.xml": at("-1"),
    "x52_frame_past_end.xml": at("10"),
    "x53_frame_not_integer.xml": at("1e3"),
    "x54_frame_duplicate_in_track.xml": at("3", "3"),
    "x55_frames_out_of_order.xml": at("5", "2"),
    "x56_never_outside.xml": GOOD,
    "x57_meta_size_absurd.xml": GOOD.replace("<size>10<", "<size>99999999999<").replace(
        "<stop_frame>9<", "<stop_frame>99999999998<"
    ),
    "x58_original_size_absurd.xml": GOOD.replace("<width>64<", "<width>4294967297<"),
    "x59_original_size_zero.xml": GOOD.replace("<width>64<", "<width>0<"),
}

PATHS = [
    *("../../../../tmp/pwned_img", "/tmp/pwned_abs.jpg", "..\\..\\pwned.jpg"),  # noqa: S108
    *("a/../../b.jpg", "C:\\x.jpg", "-rf", ".git/hooks/post-checkout", "a\u202egnp.jpg", "CON"),
    *("a b;$(touch pwned).jpg", "x" * 300 + ".jpg"),
]
NAMES = {
    "x60_duplicate_track_ids.xml": task(track(), track()),
    "x61_duplicate_image_names.xml": DECLARATION
    + IMAGES.format(
        IMAGE.format(0, "a.jpg", IMAGE_BOX) + '<image id="1" name="a.jpg" width="64" height="48"/>'
    ),
    "x62_image_name_traversal.xml": images(PATHS),
    "x63_label_traversal.xml": labelled(
        "../../../pwned_label",
        "/tmp/pwned_label",  # noqa: S108
        "a/b",
    ),
    "x64_label_injection.xml": labelled(
        *("=HYPERLINK(1)", "$(touch pwned)", "Car&#10;Bus:0,0,0::", "::set-output name=x::y"),
        *("{{ 7*7 }}", "\u202eraC", "Car&#9;Bus"),
    ),
    "x65_label_empty.xml": labelled(""),
    "x66_label_lookalike.xml": labelled("\u0421ar", "Car ", "car", "Cafe\u0301"),
    "x67_no_objects.xml": task(),
    "x68_all_labels_unknown.xml": labelled("Zeppelin"),
    "x69_attr_type_traversal.xml": task(
        '  <track id="0" label="Car"><box frame="0" outside="0" occluded="0" keyframe="1" '
        'xtl="1" ytl="1" xbr="9" ybr="9"><attribute name="Type">/../../pwned_type</attribute>'
        "</box></track>\n"
    ),
}

BAD_BOXES: list[Edges] = [
    ("NaN", "1", "9", "9"),
    ("9", "9", "1", "1"),
    ("-5", "-5", "999999", "999999"),
    ("1e400", "1", "9", "9"),
]
PICTURES = {
    "v01_filename_traversal.xml": picture(f"../../../../../..{CANARY_PATH}"),
    "v02_filename_absolute.xml": picture(CANARY_PATH),
    "v03_filename_missing.xml": picture().replace("  <filename>frame_000000.PNG</filename>\n", ""),
    "v04_filename_empty.xml": picture(""),
    "v05_filename_nul_entity.xml": picture("frame&#x2F;..&#x2F;..&#x2F;x.PNG"),
    "v06_no_size.xml": picture().replace("<width>64</width>", ""),
    "v07_size_absurd.xml": picture(width="2147483648", height="-1"),
    "v08_boxes_bad.xml": picture(objects="".join(thing(edges=edges) for edges in BAD_BOXES)),
    "v09_bndbox_missing.xml": picture(objects="  <object><name>Car</name></object>\n"),
    "v10_name_missing.xml": picture().replace("<name>Car</name>", ""),
    "v11_xxe.xml": f'<!DOCTYPE annotation [<!ENTITY x SYSTEM "file://{CANARY_PATH}">]>\n'
    + picture(objects=thing("&x;")),
    "v12_name_traversal.xml": picture(objects=thing("../../../../tmp/pwned_voc")),
    "v13_type_traversal.xml": picture(
        objects=thing(
            more="<attributes><attribute><name>Type</name>"
            "<value>/../../pwned_t</value></attribute></attributes>"
        )
    ),
    "v14_namespaced.xml": picture().replace("<annotation>", '<annotation xmlns="urn:x">'),
}

PARTS: tuple[Mapping[str, str | bytes], ...] = (
    *(ENTITIES, SIZES, NO_EXPORTS, ENCODINGS, NUMBERS, FRAMES, NAMES, PICTURES),
)
FILES: dict[str, bytes] = {
    name: content if isinstance(content, bytes) else content.encode()
    for part in PARTS
    for name, content in part.items()
}
"""Name -> content. What each is to be answered with stands in `expected`."""
