"""Tables of what people labelled: one flat row a region, whatever a result holds."""
