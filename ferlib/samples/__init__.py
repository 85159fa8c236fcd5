"""Synthetic inputs with known truth: streams, clips and face sheets."""
