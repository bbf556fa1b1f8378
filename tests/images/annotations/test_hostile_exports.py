"""The exports of the corpus that nobody should trust: refused by reason, or read as plain data."""

import re
from pathlib import Path

import pytest

from annotations import exports, pascal_voc
from annotations.model import Annotation
from stage import frames
from stage.errors import StageError

REFUSED = {
    "x01_xxe_file.xml": ":1: DOCTYPE is not allowed",
    "x02_xxe_http.xml": ":1: DOCTYPE is not allowed",
    "x03_xxe_parameter_entity.xml": ":1: DOCTYPE is not allowed",
    "x04_external_dtd.xml": ":1: DOCTYPE is not allowed",
    "x05_billion_laughs.xml": ":1: DOCTYPE is not allowed",
    "x06_quadratic_blowup.xml": ":1: DOCTYPE is not allowed",
    "x07_entity_loop.xml": ":1: DOCTYPE is not allowed",
    "x08_benign_doctype.xml": ":1: DOCTYPE is not allowed",
    "x11_deep_nesting.xml": ":2: is no XML: Excessive depth",
    "x13_long_text.xml": ":[0-9]+: .* is no label",
    "x20_empty.xml": ": the file is empty",
    "x21_whitespace.xml": ":3: is no XML",
    "x22_truncated.xml": ":8: is no XML",
    "x23_git_lfs_pointer.xml": ": is a Git LFS pointer",
    "x24_html_login_page.xml": ": is a web page",
    "x25_merge_conflict.xml": ": has merge conflict markers",
    "x26_wrong_root.xml": ": has the root <svg>.*, not an export of CVAT",
    "x27_two_roots.xml": ":2: is no XML: Extra content",
    "x28_json.xml": ":1: is no XML",
    "x29_zip_named.xml": ": is not a zip file, or damaged",
    "x30_voc_where_cvat_expected.xml": ": is one picture's file, not an export of CVAT",
    "x32_invalid_utf8.xml": ":7: is no XML",
    "x33_utf7_declared.xml": ":2: is no XML",
    "x34_unknown_encoding.xml": ":1: is no XML: Unsupported encoding",
    "x36_control_char.xml": ":7: is no XML",
    "x37_nul_bytes.xml": ":7: is no XML",
    "x40_box_comma_decimal.xml": ":8: xtl is '1,5', which is no number",
    "x40_box_empty.xml": ":8: xtl is '', which is no number",
    "x40_box_hex.xml": ":8: xtl is '0x1', which is no number",
    "x40_box_huge.xml": ":8: xbr is '1e308', which is no number",
    "x40_box_inf.xml": ":8: xtl is '-INF', which is no number",
    "x40_box_inverted.xml": ":8: the box is inside out",
    "x40_box_million_digits.xml": ":8: xtl is '1{40}', which is no number",
    "x40_box_nan.xml": ":8: xtl is 'NaN', which is no number",
    "x40_box_python_inf.xml": ":8: xtl is '-inf', which is no number",
    "x40_box_text.xml": ":8: xtl is 'one', which is no number",
    "x40_box_underscore.xml": ":8: xtl is '1_0', which is no number",
    "x40_box_unicode_digits.xml": ":8: xtl is '.', which is no number",
    "x41_box_missing_attribute.xml": ":7: <box> lacks xbr=",
    "x50_frame_span_bomb.xml": ":9: frame is '2000000000', no whole number",
    "x51_frame_negative.xml": ":8: frame is '-1', no whole number from 0",
    "x52_frame_past_end.xml": ".*frame 10 ",
    "x53_frame_not_integer.xml": ":8: frame is '1e3', no whole number",
    "x54_frame_duplicate_in_track.xml": ":9: frame 3 follows 3",
    "x55_frames_out_of_order.xml": ":9: frame 2 follows 5",
    "x57_meta_size_absurd.xml": ":4: stop_frame is '99999999998'",
    "x58_original_size_absurd.xml": ":5: width is '4294967297'",
    "x60_duplicate_track_ids.xml": ":10: track 0 is in it twice",
    "x61_duplicate_image_names.xml": ":[0-9]+: .* is in it twice",
    "x62_image_name_traversal.xml": ":[0-9]+: ",
    "x63_label_traversal.xml": ":[0-9]+: the label .* is a path",
    "x64_label_injection.xml": ":[0-9]+: .* is no label",
    "x65_label_empty.xml": ":[0-9]+: '' is no label",
    "x69_attr_type_traversal.xml": ":7: the Type '/../../pwned_type' is a path",
}

READ = {
    "x09_xinclude.xml": 0,
    "x10_stylesheet_pi.xml": 1,
    "x12_wide_attributes.xml": 0,
    "x31_utf16_good.xml": 1,
    "x35_bom_good.xml": 1,
    "x38_crlf_good.xml": 1,
    "x40_box_negative.xml": 1,
    "x40_box_outside_image.xml": 1,
    "x40_box_zero_area.xml": 1,
    "x56_never_outside.xml": 1,
    "x59_original_size_zero.xml": 1,
    "x66_label_lookalike.xml": 4,
    "x67_no_objects.xml": 0,
    "x68_all_labels_unknown.xml": 1,
}
"""Objects in each. Sizes and edges are checked against the frames, labels against the valid."""

ARCHIVES = {
    "z12_bomb_nested.zip": ": has no annotations",
    "z13_billion_laughs_inside.zip": "/annotations.xml:1: DOCTYPE is not allowed",
    "z14_many_entries.zip": "/Annotations/0.xml:1: is no XML",
    "z27_empty_archive.zip": ": has no annotations",
    "z28_prefix_junk.zip": ":1: is no XML",
    "z30_no_xml.zip": ": has no annotations",
    "z32_two_cvat_xml.zip": ": has several a/annotations.xml and b/annotations.xml",
    "z37_nfc_nfd_names.zip": "/Annotations/.*: is about frame_000000.PNG",
    "z38_voc_duplicate_ids.zip": "/Annotations/s1/frame_000000.xml: is about frame_000000.PNG",
    "z39_voc_filename_mismatch.zip": "/Annotations/frame_000000.xml: is about frame_000007.PNG",
    "z40_voc_traversal_inside.zip": r"/Annotations/frame_000000.xml:.*\.\./",
}
"""What opens as an archive (see test_archive) and is refused by what is in it."""

PICTURES = {
    "v03_filename_missing.xml": ":1: <annotation> lacks <filename>",
    "v04_filename_empty.xml": ":1: <annotation> lacks <filename>",
    "v06_no_size.xml": ":1: <annotation> lacks <size/width>",
    "v07_size_absurd.xml": ":1: width is '2147483648'",
    "v08_boxes_bad.xml": ":5: xmin is 'NaN'",
    "v09_bndbox_missing.xml": ":5: <object> lacks <bndbox/xmin>",
    "v10_name_missing.xml": ":5: <object> lacks <name>",
    "v11_xxe.xml": ":1: DOCTYPE is not allowed",
    "v14_namespaced.xml": ":1: <annotation> is expected, found <{urn:x}annotation>",
}


def read(path: Path) -> list[Annotation]:
    """Read an export of the ten frames that the corpus's files are about."""
    movie = [frames.Frame(n, f"frame_{n:06}.PNG", "", 64, 48) for n in range(10)]
    pictures = frames.Pictures(movie, Path("frames.csv"), complete=True)
    return list(exports.read(path, pictures))


def refusal(path: Path) -> str:
    """What is said of an export, without its folder."""
    with pytest.raises(StageError) as raised:
        read(path)
    return str(raised.value).removeprefix(f"{path.parent}/")


def test_every_xml_of_the_corpus_is_looked_at(corpus: Path) -> None:
    names = {path.name for path in (corpus / "hostile/xml").glob("x*")}

    assert names == {*REFUSED, *READ}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_xml_is_refused_by_line_and_reason(corpus: Path, name: str) -> None:
    said = refusal(corpus / "hostile/xml" / name)

    assert re.match(re.escape(name) + REFUSED[name], said), said
    assert len(said) < 500


@pytest.mark.parametrize("name", READ)
def test_odd_xml_is_read_as_plain_data(corpus: Path, name: str) -> None:
    found = read(corpus / "hostile/xml" / name)

    assert sum(len(annotation.objects) for annotation in found) == READ[name]
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused_by_what_is_in_it(corpus: Path, name: str) -> None:
    said = refusal(corpus / "hostile/zip" / name)

    assert re.match(re.escape(name) + ARCHIVES[name], said), said


@pytest.mark.parametrize("name", ["z00_good.zip", "z41_macos_junk_good.zip"])
def test_a_good_archive_is_read(corpus: Path, name: str) -> None:
    found = [
        each for annotation in read(corpus / "hostile/zip" / name) for each in annotation.objects
    ]

    assert [(each.label, each.box.xmin, each.box.xmax) for each in found] == [("Car", 1, 9)]


@pytest.mark.parametrize("name", PICTURES)
def test_a_hostile_picture_file_is_refused_by_line_and_reason(corpus: Path, name: str) -> None:
    with pytest.raises(StageError, match=re.escape(name + PICTURES[name])):
        pascal_voc.read((corpus / "hostile/xml" / name).read_bytes(), name)
