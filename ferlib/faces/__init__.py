"""From any picture file to boxes, landmarks and crops; knows no emotion and needs no torch."""
