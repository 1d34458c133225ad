"""Which agents there are: one ``configs/agent/<name>.yaml`` each, found by looking."""

from schedcp_gym.paths import CONFIGS

FOLDER = CONFIGS / "agent"


def agent_names() -> list[str]:
    """Names of all agents, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def agent_summary(name: str) -> str:
    """What an agent is, in one line: the first comment of its config. Imports nothing of the agent."""
    for line in (FOLDER / f"{name}.yaml").read_text().splitlines():
        if line.startswith("#") and "SPDX" not in line:
            return line.lstrip("# ").strip()
    return ""
