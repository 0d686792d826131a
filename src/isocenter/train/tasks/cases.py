"""The prepared cases of a task."""

from __future__ import annotations

from isocenter.reasons import Reason, merge
from isocenter.train.cache import Cache, cached
from isocenter.train.tasks import Made, Material, Task


def cases_of(material: Material) -> tuple[Cache, Cache]:
    """The cases to learn from and the held-out ones, prepared unless they are already.

    Raises
    ------
    Refused
        If no case is left on one side.
    """
    plan, folder, tell = material.plan, material.cache, material.progress
    learning = cached(material.learning, plan, folder, progress=tell)
    if material.held_out is None:
        return learning, Cache(())
    return learning, cached(material.held_out, plan, folder, progress=tell)


def made_of(task: Task, learning: Cache, held_out: Cache, *, said: tuple[Reason, ...] = ()) -> Made:
    """A task with what is to be said of its cases, and what those to learn from are like."""
    return Made(task, merge(learning.reasons, held_out.reasons, said), learning.domain)
