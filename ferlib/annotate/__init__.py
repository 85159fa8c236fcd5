"""One wording and one drawing of a face, used by the command line, the pages and the pictures."""
