"""The Huffman code of RFC 7541 5.2 and appendix B, decoded an octet at a time."""

from __future__ import annotations

from typing import Final

from gitaly_py.rpc.http2.hpack.errors import HpackError

# The bits of the code of each octet, and of EOS. The code is canonical, so that the lengths say it all.
CODE_LENGTHS: Final = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8,
    7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7,
    7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23,
    24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24,
    20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
    27, 27, 27, 26, 30,
)  # fmt: skip
EOS: Final = 256

# row[octet] is what eight bits lead to: the row to go on with, and the characters whose codes they complete
# (a character for each octet: they join quicker than octets do). There is a row for each inner node of the
# code's tree; it is filled when a string first comes there, since all of them take 5 MB and 0.1 s.
Row = list["tuple[Row, str]"]


def _symbols() -> dict[int, int]:
    """The symbol of each code; in front of a code's bits is a one, which keeps leading zeros apart."""
    symbols: dict[int, int] = {}
    code = length = 0
    for bits, symbol in sorted((bits, symbol) for symbol, bits in enumerate(CODE_LENGTHS)):
        code <<= bits - length
        length = bits
        symbols[1 << bits | code] = symbol
        code += 1
    return symbols


_ROOT: Final = 1
_symbol_of: Final = _symbols()
_inner_nodes: Final = {code >> length for code in _symbol_of for length in range(1, code.bit_length())}
_rows: Final[dict[int, Row]] = {node: [] for node in _inner_nodes}
_node_of: Final = {id(row): node for node, row in _rows.items()}
_root_row: Final = _rows[_ROOT]

# Behind EOS, which is an error wherever it stands, no end is right.
_failed: Final[Row] = []
_failed.extend([(_failed, "")] * 256)

# A string may end where fewer than eight bits, all ones, are left of its last octet: the beginning of EOS.
_ends: Final = frozenset(id(_rows[(1 << length) - 1]) for length in range(1, 9))


def decode(data: bytes) -> bytes:
    """The text of a Huffman-coded string. Raises HpackError for EOS inside and for wrong padding."""
    row = _root_row
    texts: list[str] = []
    rest = data
    while True:
        try:
            for octet in rest:
                row, text = row[octet]
                texts.append(text)
            break
        except IndexError:
            _fill(row)
            rest = data[len(texts) :]
    if id(row) not in _ends:
        raise HpackError("Huffman code")
    return "".join(texts).encode("latin-1")


def _fill(row: Row) -> None:
    node = _node_of[id(row)]
    row += [_step(node, octet) for octet in range(256)]


def _step(node: int, octet: int) -> tuple[Row, str]:
    text = ""
    for shift in range(7, -1, -1):
        node = node << 1 | octet >> shift & 1
        symbol = _symbol_of.get(node)
        if symbol == EOS:
            return _failed, ""
        if symbol is not None:
            text += chr(symbol)
            node = _ROOT
    return _rows[node], text
