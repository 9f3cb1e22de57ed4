"""What is measured of each engine: the cells, and what the same work needs."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    name: str
    prompt: int = 0  # tokens read at once, timed; else:
    generate: int = 0  # tokens written by each sequence, timed
    batch: int = 1
    depth: int = 0  # tokens in the cache before the first one that is written

    @property
    def rows(self):
        """Rows of one step: which kernels, and so whose answers have to be right."""
        return 512 if self.prompt else self.batch


CELLS = {cell.name: cell for cell in (
    Cell("prompt 512", prompt=512),
    Cell("prompt 2048", prompt=2048),
    Cell("generate 128", generate=128),
    Cell("generate at 4096", generate=64, depth=4096),
    Cell("8 at once", generate=64, batch=8, depth=128),
    Cell("32 at once", generate=64, batch=32, depth=128),
)}
