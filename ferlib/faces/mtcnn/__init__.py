"""MTCNN: the cascade, its three nets, and the engines that run them."""
