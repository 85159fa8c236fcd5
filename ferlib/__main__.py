"""``python -m ferlib`` is the command ``ferlib``."""

from ferlib.cli.main import main

main()
