"""What CVAT delivers: whether it is CVAT's, and whether it is a reason to look at CVAT.

Nothing of a delivery leaves this module but that one answer.
"""

import hashlib
import hmac
import json
import re

SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
"""What the header X-Signature-256 holds: the HMAC of the body's bytes."""

EVENTS = ("update:job", "update:task")
PROGRESS = {"state", "stage", "status"}
"""The fields of a job or task that say how far it is."""


def is_signed(body: bytes, signature: str, secret: bytes) -> bool:
    """Tell whether a body was signed with the secret, in a time that tells nothing.

    >>> import hashlib, hmac
    >>> mark = hmac.new(b"secret", b"{}", hashlib.sha256).hexdigest()
    >>> is_signed(b"{}", f"sha256={mark}", b"secret"), is_signed(b"[]", f"sha256={mark}", b"secret")
    (True, False)
    """
    given = SIGNATURE.fullmatch(signature)
    right = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return given is not None and hmac.compare_digest(given[1], right)


def leads_to_call(body: bytes, *, saved: bool) -> bool:
    """Tell whether a body says that a job or task has got on; saved: or was saved at all.

    CVAT names what changed in `before_update`, and since 2.73 in `changes`, too.

    >>> leads_to_call(b'{"event": "update:job", "before_update": {"state": "new"}}', saved=False)
    True
    >>> leads_to_call(b'{"event": "update:job", "before_update": {}}', saved=False)
    False
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(said, dict) or said.get("event") not in EVENTS:
        return False
    changed = [said.get(name) for name in ("changes", "before_update")]
    return saved or any(isinstance(each, dict) and PROGRESS & each.keys() for each in changed)
