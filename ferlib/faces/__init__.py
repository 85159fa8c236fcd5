"""Faces, from any picture file to boxes, landmarks and crops, down to a smallest size; without torch."""
