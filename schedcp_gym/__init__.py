"""schedcp_gym: beat the Linux scheduler on a real kernel, exactly repeatably.

Importing this package registers the Gymnasium environments (see :mod:`schedcp_gym.envs`); nothing heavy is
imported and nothing is built or booted until an environment is made and reset.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("schedcp_gym")
except PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0+unknown"
