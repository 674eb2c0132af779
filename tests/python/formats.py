"""Codes with scales, for the plain decoder: written from the chapter of that name in codec/CONTAINER.md.

`decode` gives a chunk's raw bytes. Geometry is taken value by value: which row, column, tile or block each is in.
"""

import numpy as np

(TILES, MINIFLOAT, MINIFLOAT_ROWS, FP8, MX, NVFP4, INTEGER, INTEGER_ROWS, GROUP, GRADIENT, GRADIENT_TOP, FPRAKER,
 MASK) = MODES = range(16, 29)


def width(mode, s, m, e):
    return s + m if mode == FPRAKER else s + e + m


def require(condition, what):
    if not condition:
        from decoder import Corrupt
        raise Corrupt(what)


def minifloat_table(e, m, bias, last):
    """Numbers of all magnitude codes; those beyond the last are read as it."""
    numbers = []
    for code in range(1 << (e + m)):
        exponent, fraction = code >> m, code & ((1 << m) - 1)
        number = fraction * 2.0 ** (1 - bias - m) if exponent == 0 else (1 + fraction / 2 ** m) * 2.0 ** (exponent - bias)
        numbers.append(number if code <= last else numbers[last])
    return np.array(numbers)


def elements(mode, e, m, codes):
    """What codes stand for before scaling, in binary64, and the largest of them."""
    if mode == MX and e == 0:
        return codes.astype(np.uint8).view(np.int8) / 64.0, 1.0
    bias, last = (1 << (e - 1)) - (mode != TILES), (1 << (e + m)) - 1
    if mode == MX:
        last = {(4, 3): 0x7E, (5, 2): 0x7B}.get((e, m), last)
    table = minifloat_table(e, m, bias, last)
    magnitude = table[(codes & np.uint64((1 << (e + m)) - 1)).astype(int)]
    return np.where(codes >> np.uint64(e + m) != 0, -magnitude, magnitude), table[-1]


class Places:
    """Where each value of a chunk lies in the tensor seen as rows."""

    def __init__(self, head, first, n):
        row_values = 1
        for dimension in head.shape[1 if len(head.shape) >= 2 else 0:]:
            row_values *= dimension
        index = first + np.arange(n, dtype=np.int64)
        self.row, self.column = index // row_values, index % row_values
        self.row_values = row_values
        self.rows = int(self.row[-1] - self.row[0]) + 1
        self.row_index = self.row - self.row[0]

    def blocks(self, size):
        """Each value's block, counted from 0 in the chunk."""
        begins = np.concatenate(([True], self.row[1:] != self.row[:-1]))
        run_start = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))
        starts = (np.arange(len(begins)) - run_start) % size == 0
        return np.cumsum(starts) - 1

    def tiles(self):
        """Each value's tile, counted from 0 in section S, and how many there are."""
        stripe, tile = self.row // 48 - self.row[0] // 48, self.column // 48
        first, across = 0, (self.row_values + 47) // 48
        if self.rows == 1:
            first, across = int(tile[0]), int(tile[-1] - tile[0]) + 1
        return stripe * across + tile - first, (int(stripe[-1]) + 1) * across


def floats(data, finite=True):
    numbers = np.frombuffer(data, "<f4")
    require(not finite or np.isfinite(numbers).all(), "scale that is not finite")
    return numbers


def ranges(data):
    pairs = floats(data).reshape(-1, 2)
    require((pairs[:, 0] <= pairs[:, 1]).all(), "range upside down")
    return pairs.astype(np.float64)


def scaled(mode, e, m, codes, scales, places):
    numbers, largest = elements(mode, e, m, codes)
    if mode == TILES:
        tile, count = places.tiles()
        require(len(scales) == count, "tiles")
        shared = np.frombuffer(scales, np.int8)[tile].astype(int)
        return numbers * 2.0 ** (shared - int(np.floor(np.log2(largest))))
    if mode == MX:
        block = places.blocks(32)
        exponents = np.frombuffer(scales, np.uint8).astype(int)
        require(len(scales) == block[-1] + 1 and (exponents != 255).all(), "scales of blocks")
        return numbers * 2.0 ** (exponents[block] - 127)
    if mode == NVFP4:
        block = places.blocks(16)
        require(len(scales) == 4 + block[-1] + 1, "scales of blocks")
        of_tensor, of_blocks = floats(scales[:4])[0], np.frombuffer(scales[4:], np.uint8)
        require(of_tensor >= 0 and (of_blocks <= 0x7E).all(), "scale")
        factors = minifloat_table(4, 3, 7, 0x7E)[of_blocks].astype(np.float32) * of_tensor
        return numbers * factors[block]
    factors = floats(scales)
    require(len(factors) == (places.rows if mode == MINIFLOAT_ROWS else 1) and (factors >= 0).all(), "scales")
    return numbers * (factors[places.row_index] if mode == MINIFLOAT_ROWS else factors[0])


def stepped(mode, m, codes, scales, places):
    q, levels = codes.astype(np.float64), (1 << m) - 1
    if mode == GROUP:
        halves = np.frombuffer(scales, "<u2").astype("<u4") << 16
        pairs = halves.view("<f4").reshape(-1, 2).astype(np.float64)
        group = np.arange(len(codes)) // 256
        require(len(pairs) == group[-1] + 1 and np.isfinite(pairs).all() and (halves[1::2] < 1 << 31).all(), "groups")
        return pairs[group, 0] + q * pairs[group, 1]
    pairs = ranges(scales)
    require(len(pairs) == (places.rows if mode == INTEGER_ROWS else 1), "ranges")
    lo, hi = pairs[places.row_index if mode == INTEGER_ROWS else np.zeros(len(q), int)].T
    return np.minimum(lo + q * ((hi - lo) / levels), hi)


def gradients(m, codes, scales, places):
    words = (places.rows + 63) // 64 * 8
    require(len(scales) >= words, "rows kept")
    bits = np.unpackbits(np.frombuffer(scales[:words], np.uint8), bitorder="little").astype(bool)
    require(not bits[places.rows:].any(), "rows kept beyond the last")
    kept, pairs = bits[places.row_index], ranges(scales[words:])
    require(len(pairs) == bits.sum() and kept.sum() == len(codes), "rows kept and their values")
    lo, hi = pairs[(np.cumsum(bits) - 1)[places.row_index[kept]]].T
    values = np.zeros(len(kept))
    values[kept] = np.minimum(lo + codes.astype(np.float64) * ((hi - lo) / ((1 << m) - 1)), hi)
    return values


def bits_at(data, bit, count):
    return int.from_bytes(data[bit // 8:(bit + count + 7) // 8], "little") >> bit % 8 & ((1 << count) - 1)


def fpraker(scales, codes, s, m, exponent_bits):
    n = len(codes)
    groups = (n + 31) // 32
    deltas, bit, exponents = scales[groups + (3 * groups + 7) // 8:], 0, []
    for group in range(groups):
        w = (0, 1, 2, 3, 4, 5, 6, 8)[bits_at(scales, 8 * groups + 3 * group, 3)]
        base = scales[group]
        exponents.append(base)
        for _ in range(min(32, n - 32 * group) - 1):
            delta = bits_at(deltas, bit, w)
            exponents.append(base + delta - (1 << w if w and delta >> (w - 1) else 0))
            bit += w
    require((bit + 7) // 8 == len(deltas), "exponents too long or too short")
    exponents = np.array(exponents) % (1 << exponent_bits)
    sign, mantissa = codes & np.uint64(s), codes >> np.uint64(s)
    return sign << np.uint64(m + exponent_bits) | exponents.astype(np.uint64) << np.uint64(m) | mantissa


def to_type(values, signs, mantissa_bits, exponent_bits):
    """binary32 to the type's bytes: to nearest even, and no further than its largest finite number."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    magnitude = np.minimum(np.abs(single), np.float32(3.4028234663852886e38)).view(np.uint32)
    if (mantissa_bits, exponent_bits) == (23, 8):
        return (magnitude | signs.astype(np.uint32) << np.uint32(31)).astype("<u4").tobytes()
    if exponent_bits == 8:
        magnitude = np.minimum(magnitude, np.uint32(0x7F7F0000)).astype(np.uint64)
        half = (magnitude + np.uint64(0x7FFF) + (magnitude >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)
    else:
        half = np.minimum(magnitude.view(np.float32), np.float32(65504)).astype(np.float16).view(np.uint16)
    return (half.astype(np.uint32) | signs.astype(np.uint32) << np.uint32(15)).astype("<u2").tobytes()


def decode(head, first, n, mode, s, m, e, scales, codes, fields):
    mantissa_bits, exponent_bits = fields
    if mode == FPRAKER:
        values = fpraker(scales, codes, s, m, exponent_bits)
        return values.astype("<u4" if mantissa_bits == 23 else "<u2").tobytes()
    places = Places(head, first, n)
    if mode in (GRADIENT, GRADIENT_TOP):
        values = gradients(m, codes, scales, places)
    elif mode == MASK:
        require(not scales, "scales")
        values = codes.astype(np.float64)
    elif mode in (INTEGER, INTEGER_ROWS, GROUP):
        values = stepped(mode, m, codes, scales, places)
    else:
        values = scaled(mode, e, m, codes, scales, places)
    with np.errstate(over="ignore"):
        return to_type(values, np.signbit(values), mantissa_bits, exponent_bits)
