"""A task of today's CVAT, from `completed` to the default branch: fetch, then publish."""

import json

from publishing.worlds import EXPORT, World, with_less_of_a_car
from services.cvat_server import CvatServer

METRICS = "data/movie2/metrics.json"


def test_a_completed_task_is_published_and_a_change_of_it_again(world: World) -> None:
    with CvatServer() as cvat:
        token = {"CVAT_ACCESS_TOKEN": cvat.token}
        params = world.file("params.yaml").decode()
        section = f"\ncvat:\n  url: {cvat.url}\n  organization: videoteam\n"
        world.commit("use CVAT", **{"params.yaml": (params + section).encode()})
        before = json.loads(world.file(METRICS))
        less = world.export(with_less_of_a_car)
        task = cvat.add_task(12, "main street", export=less, status="completed")

        world.pipelines("fetch", 0, None, **token)
        world.publish("", 0, **token)
        after = json.loads(world.file(METRICS))

        assert after["labels"]["Car"] == before["labels"]["Car"] - 3
        assert b"<deleted_frames></deleted_frames>" in world.file(EXPORT)
        assert "cvat_12_main_street" in world.bare.git("log", "-1", "--format=%s", world.branch)

        published = world.head
        done = world.pipelines("fetch", 0, None, **token)
        assert done.stdout == "movie2: task 12: unchanged\n"
        assert world.head == published

        task.save(with_less_of_a_car(less.decode()).encode())
        world.pipelines("fetch", 0, None, **token)
        world.publish("", 0, **token)

        now = json.loads(world.file(METRICS))
        assert now["labels"]["Car"] == before["labels"]["Car"] - 6
        assert cvat.unexpected == []
    assert cvat.token not in "".join(world.said)
    world.whole()
