"""Write pickles as Python 2 wrote Planetoid's: protocol 2, byte strings, numpy and scipy by their old names."""

import struct

import numpy as np

GLOBAL = {
    "reconstruct": b"cnumpy.core.multiarray\n_reconstruct\n",
    "ndarray": b"cnumpy\nndarray\n",
    "dtype": b"cnumpy\ndtype\n",
    "csr": b"cscipy.sparse.csr\ncsr_matrix\n",
    "defaultdict": b"ccollections\ndefaultdict\n",
    "list": b"c__builtin__\nlist\n",
}


def number(value):
    return b"J" + struct.pack("<i", value)


def text(value):
    content = value.encode("latin-1") if isinstance(value, str) else value
    return b"T" + struct.pack("<i", len(content)) + content


def array(values):
    values = np.asarray(values)
    name = {"i": "i", "f": "f"}[values.dtype.kind] + str(values.dtype.itemsize)
    shape = b"(" + b"".join(map(number, values.shape)) + b"t"
    dtype = GLOBAL["dtype"] + text(name) + number(0) + number(1) + b"\x87R"
    dtype += b"(" + number(3) + text("<") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    start = GLOBAL["reconstruct"] + GLOBAL["ndarray"] + number(0) + b"\x85" + text("b") + b"\x87R"
    return start + b"(" + number(1) + shape + dtype + b"\x89" + text(values.tobytes()) + b"tb"


def csr(matrix):
    shape = number(matrix.shape[0]) + number(matrix.shape[1]) + b"\x86"
    items = text("_shape") + shape
    for part in ("data", "indices", "indptr"):
        items += text(part) + array(getattr(matrix, part))
    return GLOBAL["csr"] + b")\x81}(" + items + b"ub"


def graph(neighbours):
    items = b"".join(number(u) + b"](" + b"".join(map(number, vs)) + b"e" for u, vs in neighbours.items())
    return GLOBAL["defaultdict"] + GLOBAL["list"] + b"\x85R(" + items + b"u"


def whole(body):
    return b"\x80\x02" + body + b"."
