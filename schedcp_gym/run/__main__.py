"""The command ``python -m schedcp_gym.run``."""

import gc
import sys

if __name__ == "__main__":
    try:
        from schedcp_gym.run.app import main

        status = main(sys.argv[1:])
    except KeyboardInterrupt:  # while importing or composing the configuration: nothing is measured yet
        print("interrupted before anything was measured", file=sys.stderr)
        status = 130
    # The interpreter would look through all objects of the heavy packages for garbage before it ends: seconds.
    gc.freeze()
    sys.exit(status)
