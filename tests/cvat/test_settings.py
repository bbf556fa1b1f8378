"""The section `cvat` of params.yaml."""

import pytest
import yaml

from pipelines.cvat.settings import Cvat
from pipelines.datasets import params
from pipelines.errors import PipelineError


def read(**cvat: object) -> Cvat | None:
    return params.parse(yaml.safe_dump({"cvat": cvat})).cvat


def test_a_url_is_enough() -> None:
    assert read(url="https://app.cvat.ai/") == Cvat("https://app.cvat.ai", "", "accepted", "")
    assert params.parse("datasets: {}").cvat is None
    assert params.parse("cvat:").cvat is None


def test_all_that_can_be_said() -> None:
    values = {"url": "http://127.0.0.1:8080", "organization": "team", "when": "saved"}

    made = read(**values, **{"ca-file": "ca.pem"})

    assert made == Cvat("http://127.0.0.1:8080", "team", "saved", "ca.pem")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"url": "http://cvat.example.org"}, "cvat.url: would send the token readable for all"),
        ({"url": "http://127.0.0.1.example.org"}, "cvat.url: would send the token readable"),
        ({"url": "https://me:hidden@cvat.example.org"}, "cvat.url: must have no user or password"),
        ({"url": "ftp://cvat.example.org"}, "cvat.url: must be an address"),
        ({"url": "https://cvat.example.org?x=1"}, "cvat.url: must be an address"),
        ({"url": "https://cvat.example.org\nX: y"}, "cvat.url: must be an address"),
        ({"url": "https://cvat.example.org:99999"}, "cvat.url: has a port that there is not"),
        ({"url": 5}, "cvat.url: must be a text"),
        ({"when": "saved"}, "cvat.url: is missing"),
        ({"url": "https://x", "when": "soon"}, "cvat.when: must be one of accepted, completed"),
        ({"url": "https://x", "when": True}, "cvat.when: must be a text"),
        ({"url": "https://x", "organization": "a\nb"}, "cvat.organization: must be its short name"),
        ({"url": "https://x", "token": "x"}, "cvat.token: is no parameter"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values: dict[str, object], said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        read(**values)

    assert f"params.yaml: {said}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)
