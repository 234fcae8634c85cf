"""Maps of embeddings to look around in: one HTML page, complete in itself."""

from semisupcon.evaluation.page.write import write_page

__all__ = ["write_page"]
