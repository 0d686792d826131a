"""MONAI bundles, as folders or zip files: their configuration and weights to a model.

The configuration is read as data. MONAI's own parser would run what it says (``"$..."`` is Python); here a bundle runs
code only where the user trusts it, and then once: what is kept is a trace of its network.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from isocenter.errors import InputError, MissingExtra, UsageError
from isocenter.extras import needed
from isocenter.nets.importing.found import Found, Wishes, refused, tensors_of
from isocenter.nets.importing.monai_network import class_of, is_plain
from isocenter.nets.importing.monai_steps import steps_of
from isocenter.nets.plan import Plan
from isocenter.reasons import Reason

_METADATA = "configs/metadata.json"
_INFERENCE = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
_NETWORK = ("network_def", "network", "net")
_LARGEST_ZIP = 64 * 1024**3


def is_bundle(path: Path) -> bool:
    """Whether this is a bundle's folder, or a zip file with one in it."""
    if path.is_dir():
        return (path / _METADATA).is_file()
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(_METADATA) for name in archive.namelist())


def read_bundle(path: Path, wishes: Wishes) -> Found:
    """The model of a bundle.

    Raises
    ------
    InputError
        If its files are damaged.
    Refused
        With ``MODEL_FOREIGN_CODE`` if its network is code of its own, and code is not trusted;
        ``MODEL_UNKNOWN_NETWORK``, ``MODEL_STEP_UNKNOWN`` or ``MODEL_OUTPUT_UNKNOWN``.
    """
    if path.is_dir():
        return _read(path, path.name, wishes)
    with TemporaryDirectory() as place:
        return _read(_unpacked(path, Path(place)), path.stem, wishes)


def _unpacked(path: Path, place: Path) -> Path:
    """The folder of the bundle in a zip file, unpacked below a place."""
    with zipfile.ZipFile(path) as archive:
        size = sum(one.file_size for one in archive.infolist())
        if size > _LARGEST_ZIP or any(name.startswith("/") or ".." in Path(name).parts for name in archive.namelist()):
            raise InputError(f"{path.name} is no zip file of a bundle: a path in it leads outside, or it is too large.")
        archive.extractall(place)
    return next(place.rglob(_METADATA)).parents[1]


def _read(folder: Path, name: str, wishes: Wishes) -> Found:
    metadata, config = _file(folder / _METADATA), _inference(folder)
    described = next((config[key] for key in _NETWORK if key in config), None)
    try:
        plan, reasons = _plan(metadata, config, wishes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"The bundle's configuration is not complete: {error!r}.") from error
    members, runtime, network = _network(folder, described, plan, wishes)
    return Found(
        str(metadata.get("name") or name),
        Plan.from_dict({**plan, "network": network}),
        members,
        runtime,
        version=str(metadata.get("version", "1")),
        licence=_licence(folder, metadata),
        source=f"MONAI bundle {name}",
        reasons=tuple(reasons),
        facts={
            key: metadata[key] for key in ("description", "intended_use", "data_source", "authors") if key in metadata
        },
    )


# --- configuration ----------------------------------------------------------------------------------------------------


def _file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else needed("yaml", "nets").safe_load(text)
    except MissingExtra:
        raise
    except (ValueError, OSError) as error:
        raise InputError(f"The file {path.name} of the bundle is missing or damaged: {error}.") from error
    except Exception as error:
        raise InputError(f"The file {path.name} of the bundle is damaged.") from error
    if not isinstance(found, dict):
        raise InputError(f"The file {path.name} of the bundle holds no table.")
    return found


def _inference(folder: Path) -> dict[str, Any]:
    path = next((folder / name for name in _INFERENCE if (folder / name).is_file()), None)
    if path is None:
        raise UsageError(f"The bundle has no {_INFERENCE[0]}, so that nothing says how its network is used.")
    config = _file(path)
    return {key: _resolved(value, config) for key, value in config.items()}


def _resolved(value: Any, config: Mapping[str, Any], depth: int = 0) -> Any:
    """The value with ``"@name"`` replaced by what has that name, where that is plain; nothing is run."""
    if isinstance(value, Mapping):
        return {key: _resolved(one, config, depth) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, config, depth) for one in value]
    if isinstance(value, str) and value.startswith("@") and depth < 20:
        found: Any = config
        for part in value[1:].replace("#", "::").split("::"):
            found = found.get(part) if isinstance(found, Mapping) else None
        return value if found is None else _resolved(found, config, depth + 1)
    return value


def _plan(
    metadata: Mapping[str, Any], config: Mapping[str, Any], wishes: Wishes
) -> tuple[dict[str, Any], list[Reason]]:
    formats = metadata["network_data_format"]
    image = next(iter(formats["inputs"].values()))
    output = next(iter(formats["outputs"].values()))
    described = config.get("preprocessing")
    transforms = described.get("transforms") if isinstance(described, Mapping) else None
    if not isinstance(transforms, list) or not all(isinstance(one, Mapping) for one in transforms):
        raise refused("MODEL_STEP_UNKNOWN", "The bundle does not list its preprocessing as transforms.")
    steps, reasons = steps_of([one for one in transforms if not one.get("_disabled_")])
    channels = int(image["num_channels"])
    plan = {
        "task": "segmentation",
        "channels": list(_channels(image, channels)),
        "labels": _labels(output),
        "patch": _patch(config, image),
        "orientation": "RAS",
        **steps,
        "normalisation": steps.get("normalisation", [{"scale": "none"}]) * channels,
        **wishes.plan,
    }
    text = "MONAI's sliding window lets no voxel of a window count less than a thousandth; here corners count less."
    reasons.append(Reason("MODEL_UNLIKE", text))
    if "orientation" not in steps and "orientation" not in wishes.plan:
        text = "The bundle takes images as their files lie; taken was that they lie right, anterior, superior (RAS)."
        reasons.append(Reason("MODEL_GUESSED", text))
    return plan, reasons


def _channels(image: Mapping[str, Any], count: int) -> list[str]:
    named = image.get("channel_def") or {}
    modality = str(image.get("modality") or "image")
    return [str(named.get(str(n), modality)) for n in range(count)]


def _labels(output: Mapping[str, Any]) -> list[str]:
    named = {int(key): str(value) for key, value in output.get("channel_def", {}).items()}
    if sorted(named) != list(range(len(named))) or len(named) < 2 or "background" not in named[0].lower():
        text = "The bundle's output is no background followed by labels that exclude each other."
        raise refused("MODEL_OUTPUT_UNKNOWN", text)
    return [named[n] for n in range(1, len(named))]


def _patch(config: Mapping[str, Any], image: Mapping[str, Any]) -> list[int]:
    size = config.get("inferer", {}).get("roi_size", image.get("spatial_shape"))
    if not is_plain(size) or not isinstance(size, list) or len(size) != 3:
        raise refused("MODEL_STEP_UNKNOWN", f"The bundle's windows are no three numbers of voxels, but {size!r}.")
    return [int(n) for n in size]


def _licence(folder: Path, metadata: Mapping[str, Any]) -> str:
    """What the bundle states, or the first line of its file LICENSE."""
    stated = str(metadata.get("license") or metadata.get("licence") or "")
    path = folder / "LICENSE"
    if stated or not path.is_file():
        return stated
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[:80] for line in lines if line.strip()), "")


# --- network ----------------------------------------------------------------------------------------------------------


def _network(
    folder: Path, described: Any, plan: Mapping[str, Any], wishes: Wishes
) -> tuple[tuple[Any, ...], str, dict[str, Any]]:
    """Members, what they are, and the network of the plan."""
    weights = folder / "models" / "model.pt"
    if isinstance(described, Mapping) and class_of(str(described.get("_target_", ""))) is not None:
        arguments = {key: value for key, value in described.items() if not key.startswith("_")}
        if is_plain(arguments):
            kind = str(described["_target_"]).rpartition(".")[2]
            return (
                (_state(tensors_of(weights)),),
                "safetensors",
                {
                    "name": "monai",
                    "options": {"kind": kind, "arguments": arguments},
                },
            )
    scripted = folder / "models" / "model.ts"
    if wishes.code != "trusted":
        what = described.get("_target_") if isinstance(described, Mapping) else described or scripted.name
        text = f"The bundle's network is code of its own ({what}), which would run here with your rights."
        raise refused("MODEL_FOREIGN_CODE", text + " If you trust where it comes from, say so by --trust.")
    if scripted.is_file():
        return (scripted.read_bytes(),), "torchscript", {"name": "torchscript"}
    return (_traced(folder, described, weights, plan),), "torchscript", {"name": "torchscript"}


def _state(held: Any) -> dict[str, Any]:
    """The tensors of a checkpoint, which some keep one level deeper."""
    for key in ("model", "state_dict", "network"):
        if isinstance(held, Mapping) and isinstance(held.get(key), Mapping):
            held = held[key]
    if not isinstance(held, Mapping) or not held:
        raise InputError("The weights of the bundle are no table of tensors.")
    return {str(name).removeprefix("module."): value for name, value in held.items()}


def _traced(folder: Path, described: Any, weights: Path, plan: Mapping[str, Any]) -> bytes:
    """TorchScript of a network that the bundle's own code makes: run once, by the user's leave."""
    from isocenter.nets.runtimes.tracing import as_torchscript

    if not isinstance(described, Mapping):
        raise refused("MODEL_UNKNOWN_NETWORK", "The bundle defines no network, and has no models/model.ts.")
    parser = needed("monai.bundle", "nets").ConfigParser
    sys.path.insert(0, str(folder))
    try:
        network = parser({"network_def": dict(described)}).get_parsed_content("network_def")
    except Exception as error:
        raise refused("MODEL_UNKNOWN_NETWORK", f"The bundle's network cannot be made: {error}.") from error
    finally:
        sys.path.remove(str(folder))
    network.load_state_dict(_state(tensors_of(weights)))
    return as_torchscript(network.eval(), (1, len(plan["channels"]), *plan["patch"]))
