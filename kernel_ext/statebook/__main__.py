"""``python -m statebook``."""

import sys

from statebook.cli import main

sys.exit(main())
