"""The experiments of arXiv 2310.15128 and ours, each with every optimiser: `qproj train`."""
