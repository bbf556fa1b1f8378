"""Hostile files in the place of params.yaml."""

GOOD = (
    "annotations:\n  concat-type-attribute: False\n"
    "  valid-labels:\n    - Pedestrian\n    - Bicycle\n    - Car\n"
)
ALIASES = "".join(
    f"{name}: &{name} [{','.join([f'*{one}'] * 10)}]\n"
    for one, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Each line has ten times as many elements as the one above, 10^9 in the last."""

TEXTS = {
    "y00_good.yaml": GOOD,
    "y01_python_object.yaml": "annotations:\n"
    "  valid-labels: !!python/object/apply:os.system ['touch pwned_yaml']\n",
    "y02_alias_bomb.yaml": f"a: &a [{','.join('x' * 10)}]\n{ALIASES}"
    "annotations: {concat-type-attribute: False, valid-labels: *i}\n",
    "y03_labels_not_a_list.yaml": "annotations:\n"
    "  concat-type-attribute: False\n  valid-labels: Car\n",
    "y04_duplicate_keys.yaml": GOOD
    + "annotations:\n  concat-type-attribute: True\n  valid-labels: [Bus]\n",
    "y05_boolean_as_text.yaml": GOOD.replace("False", '"False"'),
    "y06_norway.yaml": GOOD.replace("- Car", "- No\n    - on\n    - 1e3\n    - 012\n    - null"),
    "y07_empty.yaml": "",
    "y08_missing_section.yaml": "other: 1\n",
    "y09_typo_key.yaml": GOOD.replace("valid-labels", "valid_labels"),
    "y10_broken.yaml": "annotations:\n\tvalid-labels: [\n",
    "y11_two_documents.yaml": f"{GOOD}---\n{GOOD}",
    "y12_no_labels.yaml": "annotations:\n  concat-type-attribute: False\n  valid-labels: []\n",
}
FILES: dict[str, bytes] = {name: text.encode() for name, text in TEXTS.items()}
"""Name -> content. What each is to be answered with stands in `expected`."""
