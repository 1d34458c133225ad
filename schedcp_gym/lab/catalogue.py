"""The policies of ``bpf/``, the workloads of ``workloads/`` and the machines of ``configs/machine/``."""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from schedcp_gym.lab.policy_source import find_source, is_policy_path, read_policy
from schedcp_gym.machine.image.inputs import ImageInputs, file_digest, folder_digest
from schedcp_gym.paths import MACHINES, POLICIES, SHARED, VARIANT, WORKLOADS, workload_declarations
from schedcp_gym.spec import (
    EEVDF,
    BadInput,
    MachineSpec,
    Objective,
    Policy,
    Tunable,
    TunableType,
    Workload,
    check_tunables,
)
from schedcp_gym.spec.digest import digest
from schedcp_gym.spec.errors import first_fault

_NUMBER = re.compile(
    r"""^TUNABLE\(\s*(?P<type>u32|u64|bool)\s*,\s*(?P<name>\w+)\s*,\s*(?P<default>\w+)\s*,\s*"(?P<unit>[^"]*)"\s*,
    \s*(?P<low>\d+)\s*,\s*(?P<high>\d+)\s*,\s*(?P<scale>linear|log)\s*,\s*(?P<text>(?:"[^"]*"\s*)+)\)\s*;""",
    re.MULTILINE | re.VERBOSE,
)
_TEXT = re.compile(
    r"""^TUNABLE_(?P<kind>TEXT|CGROUP)\(\s*(?P<name>\w+)\s*,\s*(?P<text>(?:"[^"]*"\s*)+)\)\s*;""", re.MULTILINE
)


def unknown(kind: str, name: str, known: Iterable[str]) -> BadInput:
    """Return the error for a name that does not exist; it says similar names, else all."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return BadInput(f"unknown {kind} {name!r}; did you mean {' or '.join(near)}?")
    return BadInput(f"unknown {kind} {name!r}; there are: {', '.join(names) or 'none'}")


def workload_names() -> list[str]:
    """Return the names of all workloads, variants included, sorted."""
    return sorted(workload_declarations(WORKLOADS))


def load_workload(name: str) -> Workload:
    """Return a workload from its declaration.

    Raises:
        BadInput: There is no such workload, or its declaration is wrong; the text names file and field.
    """
    declarations = workload_declarations(WORKLOADS)
    if name not in declarations:
        raise unknown("workload", name, declarations)
    path = declarations[name]
    try:
        declared = _mapping(path)
        if declared.get("name") != name:
            raise BadInput(
                f"{path}: name must be {name!r}, as the {'file' if path.name.endswith(VARIANT) else 'folder'}'s"
            )
        if path.name.endswith(VARIANT):
            declared = _of_variant(_mapping(path.with_name("workload.yaml")), declared)
        if base := declared.get("base"):
            common = _mapping(_shared_file(path, base))
            if isinstance(declared.get("description"), str):
                declared["description"] += common.pop("description", "")
            declared = {**common, **declared}
        shared = declared.get("shared")
        content = _workload_digest(path, shared if isinstance(shared, list) else [])
        return TypeAdapter(Workload).validate_python({**declared, "folder": path.parent.name, "digest": content})
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not UTF-8 text") from None
    except ValidationError as error:
        raise BadInput(f"{path}: {first_fault(error)}") from None
    except ValueError as error:  # a date that does not exist, say
        raise BadInput(f"{path}: {error}") from None


def _mapping(path: Path) -> dict[str, Any]:
    declared = yaml.safe_load(path.read_text()) or {}
    if not isinstance(declared, dict):
        raise BadInput(f"{path}: must be a mapping of names to values")
    return declared


def _of_variant(workload: dict[str, Any], variant: dict[str, Any]) -> dict[str, Any]:
    """Return the declaration of a variant; the workload's fills the gaps, ``parameters`` hold for every scale."""
    scales, own = workload.get("scales") or {}, variant.get("scales") or {}
    parameters = variant.get("parameters") or {}
    outer = (scales, own, parameters)
    inner = [value for each in (scales, own) if isinstance(each, dict) for value in each.values()]
    if not all(isinstance(each, dict) for each in (*outer, *inner)):
        raise ValueError("parameters, and each of the scales, must be a mapping of names to values")
    # A scale that only the variant has is wrong; the check of the result says so.
    merged = {scale: {**scales.get(scale, {}), **parameters, **own.get(scale, {})} for scale in {**scales, **own}}
    rest = {key: value for key, value in variant.items() if key != "parameters"}
    return {**workload, **rest, "scales": merged}


def _shared_file(declaration: Path, name: object) -> Path:
    if not isinstance(name, str) or Path(name).name != name or not (SHARED / name).is_file():
        raise BadInput(f"{declaration}: there is no {name!r} in {SHARED}")
    return SHARED / name


def _workload_digest(declaration: Path, shared: list[Any]) -> str:
    """Return the digest of what travels with a workload's jobs or is compiled for them: its folder and what it shares.

    Declarations are no part of it: what they say that shapes a run (arguments, metrics) is in the trial's digest.
    """
    folder = declaration.parent
    declarations = {"workload.yaml", *(path.name for path in folder.glob(f"*{VARIANT}"))}
    own = folder_digest(folder, declarations)
    return digest([own, *(file_digest(_shared_file(declaration, name)) for name in shared)]) if shared else own


def find_objective(workload: Workload, name: str | Objective | Mapping[str, Any] | None) -> Objective:
    """Return a workload's objective.

    Args:
        workload: The workload.
        name: The name of one that it declares; or an objective, or the fields of one; None: the workload's own.

    Raises:
        BadInput: It declares no such objective.
        ValueError: The fields are not those of an objective.
    """
    if name is None:
        return workload.objective
    if isinstance(name, Objective):
        return name
    if isinstance(name, Mapping):
        return Objective(**name)
    if name not in workload.objectives:
        raise unknown(f"objective of {workload.name}", name, workload.objectives)
    return workload.objectives[name]


def machine_names() -> list[str]:
    """Return the names of all machines of ``configs/machine/``, sorted."""
    return sorted(path.stem for path in MACHINES.glob("*.yaml"))


def load_machine(name: str, **changes: Any) -> MachineSpec:
    """Return a machine.

    Args:
        name: A name of ``configs/machine/``, a shape such as ``2x1x4x2``, or the path of a ``.yaml`` file.
        **changes: Fields that replace the machine's own; those that are None do not.

    Raises:
        BadInput: There is no such machine, or it is impossible; the text says why.

    Example:
        >>> load_machine("llc").cpus
        8
    """
    preset = MACHINES / f"{name}.yaml"
    try:
        if name.endswith((".yaml", ".yml")):
            if not Path(name).is_file():
                raise BadInput(f"no machine file {name!r}")
            declared = {"name": Path(name).stem, **_mapping(Path(name))}
        elif name in machine_names():
            declared = {"name": name, **_mapping(preset)}
        elif name[:1].isdigit() and "x" in name:
            declared = {"topology": name}
        else:
            raise unknown("machine", name, [*machine_names(), "a shape such as 2x1x4x2"])
        declared |= {key: value for key, value in changes.items() if value is not None}
        return TypeAdapter(MachineSpec).validate_python(declared)
    except yaml.YAMLError as error:
        raise BadInput(f"{name}: not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise BadInput(f"machine {name}: {first_fault(error)}") from None


def image_inputs(kernel: str) -> ImageInputs:
    """Return what the image for a kernel setting is made from, all workloads included."""
    workloads = [load_workload(name) for name in workload_names()]
    return ImageInputs.collect(kernel, [(workload, WORKLOADS / workload.folder) for workload in workloads])


def policy_names() -> list[str]:
    """Return the names of all policies, ``eevdf`` first."""
    return [EEVDF, *sorted(path.name.removesuffix(".bpf.c") for path in POLICIES.glob("*.bpf.c"))]


def load_policy(name: str, tunables: dict[str, object] | None = None) -> Policy:
    """Return a policy of the catalogue, or of files, with values for its tunables.

    Args:
        name: Catalogue name, ``eevdf``, the path of a ``.bpf.c`` file with local headers beside it, or the path of a
            folder that holds a policy (its only ``.bpf.c`` file, or ``main.bpf.c``).
        tunables: Values to set before loading.

    Raises:
        BadInput: No such policy, no such tunable, or a value that is not allowed.

    Example:
        >>> load_policy("vtime", {"slice_us": 2000}).name
        'vtime'
    """
    if name == EEVDF:
        return Policy(EEVDF, "", check_tunables((), tunables or {}))
    if name in policy_names():
        path, stem = POLICIES / f"{name}.bpf.c", name
    elif is_policy_path(name):
        path = find_source(name)
        stem = path.parent.name if path.name == "main.bpf.c" else path.name.removesuffix(".bpf.c")
    else:
        raise unknown("policy", name, policy_names())
    source = read_policy(path)
    return Policy(stem, source, check_tunables(tunables_of(source), tunables or {}))


def tunables_of(source: str) -> tuple[Tunable, ...]:
    """Return the tunables that a policy's source declares (``bpf/include/schedcp/tunable.bpf.h``), in that order.

    Raises:
        BadInput: A default lies outside its range.
    """
    found = [(match.start(), _number(match)) for match in _NUMBER.finditer(source)]
    for match in _TEXT.finditer(source):
        text = Tunable(match["name"], TunableType(match["kind"].lower()), "", description=_sentence(match["text"]))
        found.append((match.start(), text))
    return tuple(tunable for _, tunable in sorted(found, key=lambda pair: pair[0]))


def _number(match: re.Match[str]) -> Tunable:
    kind = TunableType(match["type"])
    tunable = Tunable(
        name=match["name"],
        type=kind,
        default=0,
        unit=match["unit"],
        low=int(match["low"]),
        high=int(match["high"]),
        log=match["scale"] == "log",
        description=_sentence(match["text"]),
    )
    default = tunable.check(match["default"])
    return Tunable(**{**tunable.__dict__, "default": default})


def _sentence(quoted: str) -> str:
    return "".join(re.findall(r'"([^"]*)"', quoted))


def card_of(source: str) -> str:
    """Return a policy's card: its header comment, as plain text."""
    match = re.search(r"/\*(.*?)\*/", source, re.DOTALL)
    if not match:
        return ""
    return "\n".join(line.strip().removeprefix("*").strip() for line in match[1].splitlines()).strip()
