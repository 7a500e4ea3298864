"""The command line, run as ``python -m statebook``."""

import sys

from statebook.cli import main

sys.exit(main())
