"""The docks: thin Qt skins over the pipeline and the viewer adapter."""
