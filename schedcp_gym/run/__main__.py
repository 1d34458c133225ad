"""The command ``python -m schedcp_gym.run``."""

import sys

if __name__ == "__main__":
    try:
        from schedcp_gym.run.app import main

        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # while importing or composing the configuration: nothing is measured yet
        print("interrupted before anything was measured", file=sys.stderr)
        sys.exit(130)
