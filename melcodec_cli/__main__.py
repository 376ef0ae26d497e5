"""`python -m melcodec_cli` is `melcodec`."""

import sys

from melcodec_cli.cli import main

if __name__ == "__main__":
    sys.exit(main())
