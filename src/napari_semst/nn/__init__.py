"""Small network modules that know tensors only, each with its equation."""
