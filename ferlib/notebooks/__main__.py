"""``python -m ferlib.notebooks smoke|published|full|refresh``."""

import sys

from ferlib.notebooks.runner import main

sys.exit(main())
