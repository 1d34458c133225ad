"""schedcp_gym: beat the Linux scheduler on a real kernel, exactly repeatably.

``import schedcp_gym.envs`` registers the Gymnasium environments; nothing heavy is imported, and nothing is built or
booted until an environment is reset.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("schedcp_gym")
except PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0+unknown"
