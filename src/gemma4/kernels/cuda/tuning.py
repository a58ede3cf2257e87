"""How work is cut into programs. Figures reasoned out for an H200; `bench/gpu.py` tries others.

What changes a result's last bits (splits, runs) depends on the matrix and on the width of the page table,
never on the other requests of a batch of up to 16 rows.
"""

from dataclasses import dataclass

MOST_SPLITS = 8
MOST_RUNS = 32  # of keys, joined by one program
FEWEST_BLOCKS = (
    4  # columns of a split, in blocks, below which its program is over before it is at speed
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """Sizes of programs.

    Attributes:
        programs: single-warp programs that keep every multiprocessor's loads in flight: splits of the
            columns are chosen so that a product has about so many.
        packed_stages, dense_stages: loads in flight in a program.
        dense_columns: columns of a plain matrix loaded at once.
        attention_programs: as `programs`, of one request's attention.
        expand_rows: rows of x from which on a quantized matrix is expanded in memory first.
    """

    programs: int = 1536
    packed_stages: int = 4
    dense_stages: int = 4
    dense_columns: int = 128
    attention_programs: int = 264
    expand_rows: int = 1024

    def splits(self, tiles: int, blocks: int) -> int:
        """Parts that the columns of a product are cut into, for its tiles of rows and blocks of columns."""
        wanted = -(-self.programs // tiles)
        return max(1, min(wanted, MOST_SPLITS, blocks // FEWEST_BLOCKS))

    def attention_splits(self, num_kv_heads: int, blocks: int) -> int:
        """Parts that attention over up to so many blocks of keys is cut into."""
        return max(1, min(-(-self.attention_programs // num_kv_heads), MOST_RUNS, -(-blocks // 2)))
