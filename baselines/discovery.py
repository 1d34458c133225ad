"""The agents: one ``configs/agent/<name>.yaml`` each."""

from schedcp_gym.paths import CONFIGS

FOLDER = CONFIGS / "agent"


def agent_names() -> list[str]:
    """Return the names of all agents, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def agent_summary(name: str) -> str:
    """Return a description in one line: the first comment of the agent's config. Nothing of the agent is imported."""
    for line in (FOLDER / f"{name}.yaml").read_text().splitlines():
        if line.startswith("#") and "SPDX" not in line:
            return line.lstrip("# ").strip()
    return ""
