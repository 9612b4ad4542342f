"""The experiments of arXiv 2310.15128 and ours, five optimisers each: `qproj train`."""
