"""SemST: graph convolutions modulated by semantics, trained by reconstruction."""
