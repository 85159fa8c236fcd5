"""Engines: a checkpoint on the fastest one that the machine has."""
