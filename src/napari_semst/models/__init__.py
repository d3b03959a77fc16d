"""Files of language and image models: found, downloaded, loaded, hashed."""
