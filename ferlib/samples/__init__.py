"""Made-up inputs with known truth: streams, clips and face sheets."""
