"""Published results and the test split: the only room, besides `data`, that may name it."""
