"""From tissues to layers: placement, colours; the viewer itself is only painted on."""
