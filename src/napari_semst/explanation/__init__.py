"""Why a domain is a domain: its genes, what they mean, what semantics moved."""
