"""Reports of batches and pages of feeds as HTML, and GX data docs."""
