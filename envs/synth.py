"""The environments of kind Synth."""

import json
from collections.abc import Mapping
from typing import Any

from gymnasium import spaces

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.lab import catalogue
from schedcp_gym.spec import BadInput, Policy, check_tunables, source_sha256

SOURCE_MAX = 65536
TUNABLES_MAX = 4096
_PRINTABLE = "".join(map(chr, range(32, 127)))


class SynthEnv(SchedEnv):
    """Write a scheduling policy.

    ## Description
    The task of :class:`~schedcp_gym.envs.tune.TuneEnv`, but an action is the BPF C source of a sched_ext policy. It is
    compiled, checked by the kernel's verifier, attached, and then measured.

    ## Action Space
    `Dict("source": Text(65536), "tunables": Text(4096))`

    The source may include the headers of `bpf/include/`; the files `bpf/*.bpf.c` are examples. `tunables` is a JSON
    object as text with values for the tunables that the source declares with `TUNABLE(…)`; `{}` keeps all defaults.

    ## Observation Space
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Rewards
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`. A source that does not compile, or that the kernel rejects, has the
    reward -3.

    ## Starting State
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Episode End
    An episode never terminates. It is truncated after `max_steps` steps.

    ## Information
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`. `info["measurement"]["log"]` holds the compiler's lines or the kernel
    verifier's log, and `info["message"]` a summary of them.

    ## Arguments
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Version History
    * v0: first version.
    """

    def __init__(self, workload: str, **options: Any) -> None:
        """Set up the environment; see :class:`~schedcp_gym.envs.base.SchedEnv`."""
        super().__init__(workload, **options)
        self.action_space = spaces.Dict(
            {
                "source": spaces.Text(min_length=0, max_length=SOURCE_MAX, charset=_PRINTABLE + "\n\t"),
                "tunables": spaces.Text(min_length=0, max_length=TUNABLES_MAX, charset=_PRINTABLE),
            }
        )

    def decode(self, action: Any) -> Policy:
        """Return the policy that an action stands for.

        Raises:
            BadInput: The action is malformed; see :func:`decode_synth`.
        """
        return decode_synth(action)


def decode_synth(action: Any) -> Policy:
    """Return the policy of a Synth action. Its name follows from the source's digest.

    Raises:
        BadInput: The source is empty, too long or not text, or ``tunables`` is not a JSON object with tunables that the
            source declares.

    Example:
        >>> decode_synth({"source": source, "tunables": '{"slice_us": 3000}'}).tunables
        (('slice_us', 3000),)
    """
    if not isinstance(action, Mapping) or not isinstance(action.get("source"), str):
        raise BadInput("the action must be a dict with 'source' (text) and 'tunables' (a JSON object as text)")
    source = action["source"]
    if not source.strip():
        raise BadInput("the source is empty")
    if len(source) > SOURCE_MAX:
        raise BadInput(f"the source has {len(source)} characters; {SOURCE_MAX} are allowed")
    if "\0" in source or not _is_encodable(source):
        raise BadInput("the source holds characters that are not text (a NUL, or half of a surrogate pair)")
    values = _tunables(action.get("tunables", "{}"))
    name = f"synth-{source_sha256(source)[:8]}"
    return Policy(name, source, check_tunables(catalogue.tunables_of(source), values))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _tunables(text: Any) -> dict[str, object]:
    if not isinstance(text, str) or len(text) > TUNABLES_MAX:
        raise BadInput(f"'tunables' must be a JSON object as text, of {TUNABLES_MAX} characters at most")
    try:
        values = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise BadInput(f"'tunables' is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise BadInput(f"'tunables' must be a JSON object ({{\"name\": value}}), not {type(values).__name__}")
    return values
