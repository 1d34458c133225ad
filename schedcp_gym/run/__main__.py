"""Run the command ``python -m schedcp_gym.run``."""

import gc
import sys

if __name__ == "__main__":
    try:
        from schedcp_gym.run.app import main

        status = main(sys.argv[1:])
    except KeyboardInterrupt:  # during the imports or the reading of the configuration
        print("interrupted before anything was measured", file=sys.stderr)
        status = 130
    # Without this, the garbage collector takes seconds at the end, because of the many objects of large packages.
    gc.freeze()
    sys.exit(status)
