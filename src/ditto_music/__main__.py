"""`python -m ditto_music` is `ditto-music`."""

import sys

from ditto_music.cli import main

if __name__ == "__main__":
    sys.exit(main())
