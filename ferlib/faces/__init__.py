"""Faces, from any picture file to boxes, landmarks and crops; without emotions, without torch."""
