"""``python -m ferlib.cli``, which ``accelerate launch -m ferlib.cli`` needs."""

from ferlib.cli.main import main

main()
