"""Reports that redo the paper's tables at our scale: what was claimed, what we measured, whether the order agrees."""
