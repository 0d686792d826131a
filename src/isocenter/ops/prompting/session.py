"""Sessions: prompts on an image, one after another, and the mask that they make.

The mask is the set of least cost. A voxel costs what its value speaks against the tissue (``evidence``), learnt from
the first prompt and then from the mask so far; each prompt adds its pull, which falls with the geodesic distance from
it (``reaching``); the border costs its length, least on edges (``cutting``). All this happens on the working image
(``scene``); the border is then brought onto the image by interpolation.

A correction reaches about as far as it lies from the border drawn so far: a click beside it moves it there, a click
deep in what is wrong takes away or adds all of that. What does not hang together with its reach stays as it was.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import UsageError, expect
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Floats
from isocenter.kernels import threads
from isocenter.ops.masks.morphology import components, distance_mm, fill_cavities
from isocenter.ops.prompting.cutting import Border, Field, cut
from isocenter.ops.prompting.evidence import against, clearness, tissue_at
from isocenter.ops.prompting.painting import drawn, remarks
from isocenter.ops.prompting.prompts import Frame, Prompt, Side, framed, marked, of_voxels
from isocenter.ops.prompting.reaching import reach
from isocenter.ops.prompting.scene import Scene, prepare
from isocenter.ops.resample import onto
from isocenter.volume import Volume

Mask = npt.NDArray[np.bool_]

VERSION = "2"
_FIRST = 5.0  # voxels: taken as the distance of the first prompt from the border
_LEAST = 1.5  # voxels: no prompt lies nearer to the border than this
_REACH = 3.0  # times that distance
_UNLIKE = 0.06  # what reaching one voxel further costs for each unit of evidence against it
_JUMP = 0.1  # what a jump of the values by the noise costs a prompt's reach
_PULL = 6.0  # of a prompt on its own voxel; a voxel's value speaks with 3 at most
_DOUBT = 1.0  # how much rather a voxel lies outside than inside, before anything is known
_SURE = 0.3  # pull from which a voxel counts as of the prompt's side when tissues are learnt
_OWN = 0.5  # share of the first prompt in what the tissue is taken to look like
_LEARNT = 2  # times that tissues are learnt from the mask, after each prompt but the first
_BREADTHS = (1.0, 2.0, 4.0, 8.0, 16.0)  # times the spread of the values around the first prompt
_TRIAL_ROUNDS = 25
_ROUNDS = 50  # of the iteration that draws the border
_FIXED = 100.0


@dataclass(frozen=True, eq=False)
class _State:
    """What the prompts so far have done to the working image.

    The pulls to either side, marks (1 inside, -1 outside), what lies beyond the box and in its middle; the density
    of the tissue, what each value speaks against it, how much broader it is than the values near the prompt that told
    so, and how deep the mask was then; the mask, and where its border stands.
    """

    inside: Field
    outside: Field
    marks: npt.NDArray[np.int8]
    beyond: Mask
    middle: Mask
    tissue: Floats | None = None
    table: npt.NDArray[np.float32] | None = None
    breadth: float = 1.0
    depth: float = 0.0
    mask: Mask | None = None
    border: Border | None = None


@dataclass(frozen=True, eq=False)
class Session:
    """An image with the prompts made on it so far; each further prompt gives the next session.

    Parameters
    ----------
    volume
        The image.
    name
        Name of the segment.
    scene
        The image made ready.
    prompts
        The prompts, in order.
    frame
        The box around the structure, if one is given.
    before
        The session before the last prompt, to go back to; None at the begin.
    """

    volume: Volume
    name: str
    scene: Scene = field(repr=False)
    prompts: tuple[Prompt, ...] = ()
    frame: Frame | None = None
    before: Session | None = field(default=None, repr=False)
    state: _State | None = field(default=None, repr=False)

    def click(self, point_mm: npt.ArrayLike, side: Side = "inside") -> Session:
        """The session after a click on a world point (x, y, z), in LPS millimetres.

        Raises
        ------
        UsageError
            If the point lies outside the image, or where it has no value.
        """
        if np.ndim(point_mm) != 1:
            raise UsageError("A click is one point (x, y, z): draw a line through several by scribble.")
        return self._with(marked(self.scene.volume, point_mm, side))

    def scribble(self, points_mm: npt.ArrayLike, side: Side = "inside") -> Session:
        """The session after a line through (n, 3) world points; errors as of :meth:`click`."""
        return self._with(marked(self.scene.volume, points_mm, side))

    def paint(self, painted: Segmentation, side: Side = "inside") -> Session:
        """The session after marking all voxels of a segmentation on the image's grid.

        Raises
        ------
        UsageError
            If it lies on another grid or is empty, or the image has no value somewhere in it.
        """
        expect(painted, Segmentation)
        if not painted.grid.coincides(self.volume.grid):
            raise UsageError("What is painted lies on another grid than the image: bring it there by iso.onto.")
        mask = onto(painted, self.scene.volume.grid).mask(*painted.names)
        return self._with(of_voxels(self.scene.volume, np.argwhere(mask), side, f"{np.count_nonzero(mask)} voxels"))

    def box(self, one_mm: npt.ArrayLike, other_mm: npt.ArrayLike) -> Session:
        """The session after a box around the structure, from one corner to the opposite one, along the image's axes.

        Nothing outside the box is taken, and its middle is taken to lie inside the structure.

        Raises
        ------
        UsageError
            If the box holds no voxel of the image, or something marked as inside lies outside it.
        """
        frame = framed(self.scene.volume, one_mm, other_mm)
        if not all(frame.holds(prompt.voxels) for prompt in self.prompts if prompt.side == "inside"):
            raise UsageError("Something marked as inside lies outside this box.")
        state = _framed(self.scene, self.state or _blank(self.scene), frame)
        return replace(self, frame=frame, before=self, state=state)

    @cached_property
    def segmentation(self) -> Segmentation:
        """The mask on the image's own grid, as one segment; its reasons say what to look at.

        Raises
        ------
        UsageError
            If nothing is marked as inside yet.
        """
        state = self.state
        if state is None or state.mask is None or state.border is None:
            raise UsageError("Nothing is marked as inside yet: click into the structure first.")
        onto_scene = drawn(self.scene, (state.mask, state.border.level), self.prompts, frame=self.frame)
        mask = onto(onto_scene, self.volume.grid).array
        said = [f"within {self.frame.said}"] if self.frame else []
        settings = (("prompts", "; ".join([*said, *(prompt.said for prompt in self.prompts)])),)
        how = Algorithm("Isocenter prompts", VERSION, settings, codes.NEIGHBORHOOD_ANALYSIS)
        found = Segmentation.of(mask, self.volume, [Segment.named(self.name)], how)
        return found.with_reasons(remarks(found, self.scene, self.prompts))

    def _with(self, prompt: Prompt) -> Session:
        if self.frame is not None and prompt.side == "inside" and not self.frame.holds(prompt.voxels):
            raise UsageError("What is marked as inside lies outside the box around the structure.")
        state = _taken(self.scene, self.state or _blank(self.scene), prompt)
        return replace(self, prompts=(*self.prompts, prompt), before=self, state=state)


def begin(volume: Volume, *, name: str = "structure") -> Session:
    """Make an image ready for prompts.

    Parameters
    ----------
    volume
        A three-dimensional image of any modality and orientation. NaN is never inside.
    name
        Name of the segment that the prompts will make.

    Raises
    ------
    UsageError
        If the image has further axes, no voxel size, sheared slices or no finite value.
    """
    return Session(volume, name, prepare(volume))


def _blank(scene: Scene) -> _State:
    """The state before any prompt."""
    none, nowhere = np.zeros(scene.values.shape, np.float32), np.zeros(scene.values.shape, np.bool_)
    return _State(none, none, none.astype(np.int8), nowhere, nowhere)


def _framed(scene: Scene, state: _State, frame: Frame) -> _State:
    """The state after a box."""
    ends = scene.volume.grid.to_world(np.array([frame.start, frame.stop]) - [[0], [1]])
    start, stop = np.rint(scene.grid.to_index(ends)).astype(int)
    stop = np.clip(stop + 1, 1, scene.values.shape)
    start = np.clip(start, 0, stop - 1)
    quarter = (stop - start) // 4
    beyond, middle = np.ones(scene.values.shape, np.bool_), np.zeros(scene.values.shape, np.bool_)
    beyond[tuple(map(slice, start, stop))] = False
    middle[tuple(map(slice, start + quarter, stop - quarter))] = True
    tissue = scene.density(middle) if state.tissue is None else state.tissue
    return _cut(scene, replace(state, beyond=beyond, middle=middle, tissue=tissue), tissue)


def _taken(scene: Scene, state: _State, prompt: Prompt) -> _State:
    """The state after a prompt."""
    places = scene.places(prompt.voxels)
    far = _distance(scene, state.mask, places, prompt.side)
    pull = _pull(scene, places, far, state.breadth**0.5)
    marks = state.marks.copy()
    marks[tuple(places.T)] = 1 if prompt.side == "inside" else -1
    if prompt.side == "outside":
        state = replace(state, outside=np.maximum(state.outside, pull), marks=marks)
        return state if state.tissue is None else _local(state, _cut(scene, state, state.tissue), pull, prompt.side)
    state = replace(state, inside=np.maximum(state.inside, pull), marks=marks)
    if state.tissue is None or far > state.depth:
        return _met(scene, state, places)
    return _local(state, _cut(scene, state, state.tissue), pull, prompt.side)


def _distance(scene: Scene, mask: Mask | None, places: npt.NDArray[np.intp], side: Side) -> float:
    """How far a prompt lies from the border, on the wrong side of it."""
    if mask is None:
        return _FIRST
    to_cross = mask if side == "outside" else ~mask
    depth = np.where(to_cross, distance_mm(to_cross, scene.steps), 0)[tuple(places.T)]
    return max(_LEAST, float(np.where(np.isfinite(depth), depth, _FIRST).max()))


def _pull(scene: Scene, places: npt.NDArray[np.intp], far: float, breadth: float) -> Field:
    """How strongly a prompt pulls each voxel to its side."""
    unlike = against(tissue_at(scene, places, breadth=breadth), scene.everywhere)
    prices = (1 / (_REACH * far) + _UNLIKE * np.maximum(unlike + 1, 0)).astype(np.float32)
    seeds = np.ravel_multi_index(tuple(places.T), scene.values.shape)
    return reach(scene.values * np.float32(_JUMP / breadth), (scene.kinds, prices), seeds, scene.steps)


def _met(scene: Scene, state: _State, places: npt.NDArray[np.intp]) -> _State:
    """The state after the first prompt in the structure, or one deeper in what is missing than what is found is deep.

    How much the values of the tissue vary is tried out: that is taken by which the border lies on the clearest edge.
    """
    blank = replace(state, mask=None, border=None)
    pull = state.outside - state.inside
    beyond = scene.density(state.beyond) if state.beyond.any() else scene.everywhere

    def tried(breadth: float) -> tuple[float, _State]:
        tissue = tissue_at(scene, places, breadth=breadth)
        table = against(tissue, beyond)
        made = replace(blank, tissue=tissue, table=table, breadth=breadth)
        made = _solved(scene, made, table, pull, rounds=_TRIAL_ROUNDS)
        return clearness(scene.values, np.asarray(made.mask)), made

    with ThreadPoolExecutor(threads()) as pool:
        _, best = max(pool.map(tried, _BREADTHS), key=lambda pair: pair[0])
    best = _solved(scene, best, np.asarray(best.table), pull)
    found = np.asarray(best.mask)
    depth = distance_mm(found, scene.steps)
    return replace(best, depth=max(_LEAST, float(depth[found & np.isfinite(depth)].max(initial=0))))


def _local(before: _State, after: _State, pull: Field, side: Side) -> _State:
    """What a prompt changed, as far as it hangs together with the prompt's reach and goes to its side; else as before.

    A prompt inside takes nothing away and one outside adds nothing: what is learnt from it counts nowhere else.
    """
    old, new = np.asarray(before.mask), np.asarray(after.mask)
    labels, _ = components(new & ~old if side == "inside" else old & ~new)
    met = np.unique(labels[pull > 0])
    mask = np.where(np.isin(labels, met[met > 0]), new, old)
    mask = (mask | (before.marks == 1)) & (before.marks != -1) & ~before.beyond
    return replace(after, mask=mask)


def _cut(scene: Scene, state: _State, tissue: Floats) -> _State:
    """The state with its mask drawn anew."""
    pull = state.outside - state.inside
    if state.mask is None:
        return _solved(scene, state, against(tissue, scene.density(state.beyond)), pull)
    for _ in range(_LEARNT):
        known = (np.asarray(state.mask) | (pull < -_SURE)) & ~((pull > _SURE) | state.beyond)
        inside = _OWN * tissue + (1 - _OWN) * scene.density(known)
        state = _solved(scene, state, against(inside, scene.density(~known)), pull)
    return state


def _solved(
    scene: Scene, state: _State, table: npt.NDArray[np.float32], pull: Field, *, rounds: int = _ROUNDS
) -> _State:
    """The state with the mask of least cost."""
    cost = table[scene.kinds] + np.float32(_DOUBT) + np.float32(_PULL) * pull
    cost[state.beyond | (state.marks == -1)] = _FIXED
    cost[state.marks == 1] = -_FIXED
    start = Border.at(cost < 0) if state.border is None else state.border
    border = cut(cost, scene.weights, scene.steps, start, rounds)
    mask = border.level > 0.5
    labels, _ = components(mask)
    kept = np.unique(labels[(state.marks == 1) | state.middle])
    mask = fill_cavities(np.isin(labels, kept[kept > 0]))
    mask = (mask | (state.marks == 1)) & (state.marks != -1) & ~state.beyond
    return replace(state, mask=mask, border=border)
