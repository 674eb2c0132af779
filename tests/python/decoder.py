"""A plain decoder of Spillway containers, written from codec/CONTAINER.md and sharing nothing with the C code.

It is slow and simple on purpose: fields are read where the document has them, bits one by one, and whatever the document
calls unsupported or corrupt raises. `decode(data)` returns a Tensor; run as a program it prints what a file holds.
"""

import copy
import ctypes
import struct
import sys
from collections import namedtuple

import numpy as np
import xxhash

import formats

DTYPE_BYTES = {
    1: 4, 2: 2, 3: 2, 4: 8, 5: 1, 6: 1,
    16: 1, 17: 1, 18: 2, 19: 2, 20: 4, 21: 4, 22: 8, 23: 8,
    32: 1, 40: 4, 41: 8, 42: 16,
}
FIELDS = {1: (23, 8), 2: (7, 8), 3: (10, 5)}  # dtype: (M, E)

HEAD_SEED = int.from_bytes(b"SPILLWAY", "little")
CHUNK_STEP = 0x9E3779B97F4A7C15
RAW, SFP, CODED, GECKO_DELTA, WINDOW, CONSTANT, GECKO_BIAS, DICTIONARY, ZSTD, ROWS = range(10)
CODED_MANTISSAS = 256 + CODED  # coded mode with that flag, told apart for those who count modes
ESCAPE, ZERO = 62, 63  # symbols of coded exponents

Tensor = namedtuple("Tensor", "dtype shape plan data modes")


class Corrupt(Exception):
    """Bytes that no encoder makes."""


class Unsupported(Exception):
    """Something newer than the document."""


def require(condition, what):
    if not condition:
        raise Corrupt(what)


def support(condition, what):
    if not condition:
        raise Unsupported(what)


def up(x, align):
    return (x + align - 1) // align * align


def xxh3(data, seed):
    return xxhash.xxh3_64_intdigest(bytes(data), seed=seed)


class Head:
    def __init__(self, data):
        require(len(data) >= 32, "no room for a head")
        (magic, version, flags, self.dtype, ndim, order, self.id, self.chunk_values, self.chunk_count, self.bytes,
         params_bytes, reserved) = struct.unpack_from("<3sBBBBBQIIIHH", data)
        require(magic == b"SWC", "magic")
        support(version == 1, "version")
        support(flags & ~1 == 0, "flags")
        self.align = 8 if flags & 1 else 64
        require(48 <= self.bytes <= len(data) and self.bytes % self.align == 0, "head length")
        checksum, = struct.unpack_from("<Q", data, self.bytes - 8)
        require(checksum == xxh3(data[:self.bytes - 8], HEAD_SEED), "head checksum")
        support(self.dtype in DTYPE_BYTES and order == 0 and reserved == 0, "dtype, order or reserved")
        require(ndim <= 64 and self.id != 0 and 1 <= self.chunk_values <= 65536, "head fields")
        at = 32
        self.shape = []
        for _ in range(ndim):
            dimension, at = self.varint(data, at)
            self.shape.append(dimension)
        self.values = 1
        for dimension in self.shape:
            self.values *= dimension
        require(self.chunk_count == (self.values + self.chunk_values - 1) // self.chunk_values, "chunk count")
        require((self.align == 8) == (self.chunk_count <= 1), "compact flag")
        self.plan = self.params(data[at:at + params_bytes])
        at = up(at + params_bytes, 4)
        self.chunk_bytes = [units * self.align for units in struct.unpack_from(f"<{self.chunk_count}I", data, at)]
        require(up(at + 4 * self.chunk_count + 8, self.align) == self.bytes, "head length and contents")

    @staticmethod
    def varint(data, at):
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                require(byte != 0 or shift == 0, "dimension not in its shortest form")
                return value, at
            shift += 7
            require(shift < 63, "dimension too long")

    @staticmethod
    def params(records):
        plan, seed, at = None, None, 0
        while at < len(records):
            tag, length = records[at], records[at + 1]
            if tag == 1:
                require(plan is None and length == 6, "plan record")
                plan = tuple(records[at + 2:at + 8])
                support((1 <= plan[0] <= 9 or plan[0] in formats.MODES) and plan[1] <= 2, "format or rounding")
            elif tag == 2:
                require(seed is None and length == 8, "seed record")
                seed, = struct.unpack_from("<Q", records, at + 2)
            else:
                support(tag >= 0x80, "parameter")
            at += 2 + length
        require(at == len(records) and plan is not None, "parameters")
        require((seed is not None) == (plan[1] == 2), "seed where there are draws")
        return plan


def plane_codes(data, at, width, count):
    """Reads `count` codes. Returns them and where the plane ends."""
    codes = np.zeros(count, dtype=np.uint64)
    if width == 0:
        return codes, at
    lane_bits = 8 if width <= 8 else 16 if width <= 16 else 32
    lanes, lane_bytes = 512 // lane_bits, lane_bits // 8
    for start in range(0, count, 512):
        in_block = min(512, count - start)
        if width == 24:
            stored = up(in_block, 16) * 3 if in_block < 512 else 512 * 3
            triples = np.frombuffer(data, np.uint8, 3 * in_block, at).reshape(-1, 3).astype(np.uint64)
            codes[start:start + in_block] = triples[:, 0] | triples[:, 1] << np.uint64(8) | triples[:, 2] << np.uint64(16)
            at += stored
            continue
        rows = (in_block + lanes - 1) // lanes
        words = up(rows * width, lane_bits) // lane_bits
        block = np.frombuffer(data, np.uint8, words * 64, at).reshape(words, lanes, lane_bytes)
        # bits[lane] is the lane's string: word after word, byte after byte, lowest bit first.
        bits = np.unpackbits(block.transpose(1, 0, 2).reshape(lanes, -1), axis=1, bitorder="little")
        for row in range(rows):
            for bit in range(width):
                code_bit = bits[:, row * width + bit].astype(np.uint64) << np.uint64(bit)
                first = start + row * lanes
                last = min(first + lanes, start + in_block)
                codes[first:last] |= code_bit[:last - first]
        at += words * 64
    return codes, at


def gecko_exponents(data, at, row_bytes, count, mode, bias, exponent_bits):
    """Reads `count` exponents and where the section ends."""
    groups = (count + 63) // 64
    rows_at = at + 3 * groups
    end = rows_at + row_bytes
    exponents = []

    def planes(number):
        nonlocal rows_at
        require(rows_at + number <= end, "row payload too short")
        row = [sum((data[rows_at + p] >> c & 1) << p for p in range(number)) for c in range(8)]
        rows_at += number
        return row

    for group in range(groups):
        widths = int.from_bytes(data[at + 3 * group:at + 3 * group + 3], "little")
        base = [bias] * 8
        for row in range(8):
            width = widths >> 3 * row & 7
            if mode == GECKO_DELTA and row == 0:
                base = planes(exponent_bits)
                exponents += base
                continue
            for column, code in enumerate(planes(width + 1) if width else [0] * 8):
                delta = -128 if code == 1 else -(code >> 1) if code & 1 else code >> 1
                exponents.append((base[column] + delta) % (1 << exponent_bits))
    require(rows_at == end, "row payload too long")
    return np.array(exponents[:count], dtype=np.uint64), end


def coded_model(pairs):
    """For each of 64 slots: symbol, its frequency, and the slot's number within it."""
    require(list(pairs[::2]) == sorted(set(pairs[::2])) and ESCAPE not in pairs[::2], "symbols")
    require(all(s < 64 for s in pairs[::2]) and all(1 <= f <= 64 for f in pairs[1::2]), "symbol or frequency")
    require(sum(pairs[1::2]) <= 64, "frequencies")
    frequencies = list(zip(pairs[::2], pairs[1::2])) + [(ESCAPE, 64 - sum(pairs[1::2]))]
    return [(symbol, f, i) for symbol, f in frequencies for i in range(f)]


def coded_maxima(section, at, k, top, count):
    """The maximum of each block, and where the lists begin."""
    if k == 0:
        return [top], at
    blocks = (count + (1 << k) - 1) >> k
    require(at + (blocks + 1) // 2 <= len(section), "section too short")
    maxima = [top - (section[at + i // 2] >> 4 * (i % 2) & 15) for i in range(blocks)]
    require(min(maxima, default=0) >= 0, "maximum")
    return maxima, at + (blocks + 1) // 2


def coded_exponents(section, count, escape_count, exponent_bits):
    """Section X, `count` exponents."""
    require(len(section) >= 4, "section too short")
    k, sets, top, pairs = section[:4]
    support(k == 0 or 6 <= k <= 9, "block size")
    require(4 + 2 * pairs <= len(section) and top < 1 << exponent_bits, "front of the section")
    slots = coded_model(section[4:4 + 2 * pairs])
    maxima, at = coded_maxima(section, 4 + 2 * pairs, k, top, count)

    def exponent(symbol, value):
        return 0 if symbol == ZERO else max(maxima[value >> k if k else 0] - symbol, 0)

    if slots[0][1] == 64:
        require(sets == 0 and slots[0][0] != ESCAPE and at == len(section), "one symbol")
        return [exponent(slots[0][0], value) for value in range(count)]
    support(sets in (1, 2, 4), "sets")
    states_at = len(section) - 128 * sets
    require(at + escape_count <= states_at, "section too short")
    escapes = list(section[at:at + escape_count])
    require(max(escapes, default=0) < 1 << exponent_bits, "escaped exponent")
    pool = list(section[at + escape_count:states_at])
    states = list(struct.unpack_from(f"<{64 * sets}H", section, states_at))
    exponents = []

    def last(of, number):
        """Takes the last `number` bytes off a list."""
        require(number <= len(of), "list too short")
        taken = of[len(of) - number:]
        del of[len(of) - number:]
        return iter(taken)

    for group in range((count + 63) // 64):
        values = range(64 * group, min(64 * group + 64, count))
        lanes = [64 * (group % sets) + lane for lane in range(len(values))]
        symbols = []
        for lane in lanes:
            symbol, frequency, offset = slots[states[lane] % 64]
            states[lane] = frequency * (states[lane] // 64) + offset
            symbols.append(symbol)
        starved = [lane for lane in lanes if states[lane] < 256]
        for lane, byte in zip(starved, last(pool, len(starved))):
            states[lane] = states[lane] * 256 + byte
        escaped = last(escapes, symbols.count(ESCAPE))
        exponents += [next(escaped) if symbol == ESCAPE else exponent(symbol, value)
                      for symbol, value in zip(symbols, values)]
    require(not pool and not escapes and all(state == 256 for state in states), "lists do not come out even")
    return exponents


def coded_nibbles(section, count, bits):
    """Section N: the top bytes of `count` codes, whose exponents have `bits` bits."""
    require(len(section) >= 16 and bits == 8, "room for coded mantissas, in codes of whole bytes")
    high_bytes, *escapes, coded = struct.unpack_from("<3IB", section)
    support(coded < 4 and not any(section[13:16]), "coded mantissas")
    require(high_bytes <= len(section) - 16, "high nibbles too long")
    parts = []
    for i, part in enumerate((section[16:16 + high_bytes], section[16 + high_bytes:])):
        if coded >> i & 1:
            parts.append(coded_exponents(part, count, escapes[i], 4))
        else:
            require(len(part) == (count + 1) // 2 and escapes[i] == 0, "packed nibbles")
            parts.append([byte >> shift & 15 for byte in part for shift in (0, 4)][:count])
    return np.array([high << 4 | low for high, low in zip(*parts)], dtype=np.uint64)


def window_exponents(section, count, escape_count, top, exponent_bits):
    """Section W, `count` exponents."""
    groups = (count + 63) // 64
    require(len(section) == 24 * groups + escape_count and 6 <= top < 1 << exponent_bits, "window section")
    escapes = iter(section[24 * groups:])
    require(max(section[24 * groups:], default=0) < 1 << exponent_bits, "escaped exponent")
    exponents = []
    for value in range(count):
        planes = struct.unpack_from("<3Q", section, 24 * (value // 64))
        code = sum((plane >> value % 64 & 1) << p for p, plane in enumerate(planes))
        exponent = next(escapes, None) if code == 7 else top - code
        require(exponent is not None, "escape list too short")
        exponents.append(exponent)
    require(next(escapes, None) is None, "escape list too long")
    return exponents


def float_values(head, chunk, at, mode, flags, s, m, e, base, nnz, row_bytes, escapes, payload_end):
    """The nnz values of an SFP, coded or Gecko chunk as numbers of their bits, and where the sections end."""
    support(head.dtype in FIELDS, "mode for this dtype")
    mantissa_bits, exponent_bits = FIELDS[head.dtype]
    u = np.uint64
    if mode == SFP:
        codes, end = plane_codes(chunk, at, s + e + m, nnz)
        q = codes & u((1 << (e + m)) - 1)
        sign = codes >> u(e + m)
        magnitude = np.where(q != 0, (q + u(base << m)) << u(mantissa_bits - m), u(0))
    else:
        low_bits = s + m
        if flags & 8:
            require(s == 1 and m == mantissa_bits, "widths of coded mantissas")
            low_bits -= 8
        codes, end = plane_codes(chunk, at, low_bits, nnz)
        at = up(end, head.align)
        if mode == CODED:
            end = at + row_bytes
            exponents = np.array(coded_exponents(chunk[at:end], nnz, escapes, exponent_bits), dtype=np.uint64)
        elif mode == WINDOW:
            end = at + row_bytes
            exponents = np.array(window_exponents(chunk[at:end], nnz, escapes, base, exponent_bits), dtype=np.uint64)
        else:
            exponents, end = gecko_exponents(chunk, at, row_bytes, nnz, mode, base, exponent_bits)
        if flags & 8:
            tops = coded_nibbles(chunk[up(end, head.align):payload_end], nnz, exponent_bits)
            codes, end = codes | tops << u(low_bits), payload_end
        sign = codes & u(s)
        magnitude = (codes >> u(s)) << u(mantissa_bits - m) | exponents << u(mantissa_bits)
    return sign << u(mantissa_bits + exponent_bits) | magnitude, end


def zstd_decompress(frame, length):
    """By the library itself: Debian has no Python module for it that is always there."""
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(length)
    got = zstd.ZSTD_decompress(out, ctypes.c_size_t(length), bytes(frame), ctypes.c_size_t(len(frame)))
    require(got == length, "zstd frame")
    return out.raw


def repeated_rows(head, chunk, at, raw_bytes, inner_bytes):
    """Rows of 64 bytes by their numbers among the different ones, which are a chunk of their own."""
    require(raw_bytes % 64 == 0, "whole rows")
    numbers = struct.unpack_from(f"<{raw_bytes // 64}H", chunk, at)
    count = 0
    for number in numbers:
        require(number <= count, "rows numbered as they come")
        count += number == count
    at = up(at + 2 * len(numbers), head.align)
    inner = copy.copy(head)
    inner.values = inner.chunk_values = count * 64 // DTYPE_BYTES[head.dtype]
    inner.chunk_count, inner.shape = 1, [inner.values]
    raw, mode = decode_chunk(inner, 0, chunk[at:at + inner_bytes])
    require(mode not in (ROWS, ZSTD), "mode of an inner chunk")
    return b"".join(raw[64 * number:64 * number + 64] for number in numbers), at + inner_bytes


def decode_chunk(head, index, chunk):
    """Returns the chunk's raw bytes and its mode."""
    element = DTYPE_BYTES[head.dtype]
    (checksum, mode, s, m, e, base, header_words, flags, symbols, n, nnz, payload_bytes, row_bytes, escapes,
     zeros) = struct.unpack_from("<Q8B6I", chunk)
    seed = (head.id + (index + 1) * CHUNK_STEP) % (1 << 64)
    require(checksum == xxh3(chunk[8:], seed), "chunk checksum")
    header_bytes = up(40, head.align)
    support(header_words * 8 == header_bytes and flags & ~15 == 0 and symbols == 0, "chunk header")
    support(escapes == 0 or mode in (CODED, WINDOW, DICTIONARY), "escapes")
    require(not flags & 8 or mode == CODED, "coded mantissas")
    require(n == min(head.chunk_values, head.values - index * head.chunk_values), "values of a chunk")
    at = header_bytes
    if mode == RAW:
        end = at + n * element
        raw = chunk[at:end]
    elif mode == CONSTANT:
        end = at + element
        raw = chunk[at:end] * n
    elif mode == DICTIONARY:
        entries = [chunk[at + i * element:at + (i + 1) * element] for i in range(base + 1)]
        at = up(at + (base + 1) * element, head.align)
        end = at + row_bytes
        numbers = [255 - byte for byte in coded_exponents(chunk[at:end], n, escapes, 8)]
        require(max(numbers) <= base, "number in the dictionary")
        raw = b"".join(entries[number] for number in numbers)
    elif mode == ROWS:
        raw, end = repeated_rows(head, chunk, at, n * element, row_bytes)
    elif mode == ZSTD:
        end = at + row_bytes
        planes = np.frombuffer(zstd_decompress(chunk[at:end], n * element), np.uint8)
        raw = planes.reshape(element, n).T.tobytes()
    elif mode in formats.MODES:
        require(flags == base == 0, "header of codes with scales")
        support(head.dtype in FIELDS, "mode for this dtype")
        scales = bytes(chunk[at:at + row_bytes])
        require(len(scales) == row_bytes, "scales too short")
        codes, end = plane_codes(chunk, up(at + row_bytes, head.align), formats.width(mode, s, m, e), nnz)
        raw = formats.decode(head, index * head.chunk_values, n, mode, s, m, e, scales, codes, FIELDS[head.dtype])
    else:
        support(mode in (SFP, CODED, GECKO_DELTA, WINDOW, GECKO_BIAS), "mode")
        kept = np.ones(n, dtype=bool)
        if flags & 1:
            words = (n + 63) // 64
            bits = np.unpackbits(np.frombuffer(chunk, np.uint8, words * 8, at), bitorder="little")
            require(not bits[n:].any() and nnz == n - zeros, "zero bitmap")
            kept = bits[:n].astype(bool)
            at = up(at + words * 8, head.align)
        require(int(kept.sum()) == nnz, "zero bitmap and count")
        values = np.zeros(n, dtype=np.uint64)
        values[kept], end = float_values(head, chunk, at, mode, flags, s, m, e, base, nnz, row_bytes, escapes,
                                         header_bytes + payload_bytes)
        raw = values.astype("<u4" if element == 4 else "<u2").tobytes()
    require(end == header_bytes + payload_bytes and up(end, head.align) == len(chunk), "chunk length")
    return bytes(raw), CODED_MANTISSAS if flags & 8 else mode


def decode(data):
    data = bytes(data)
    head = Head(data)
    at, raw, modes = head.bytes, [], []
    for index, chunk_bytes in enumerate(head.chunk_bytes):
        require(at + chunk_bytes <= len(data), "truncated")
        chunk_raw, mode = decode_chunk(head, index, data[at:at + chunk_bytes])
        raw.append(chunk_raw)
        modes.append(mode)
        at += chunk_bytes
    return Tensor(head.dtype, tuple(head.shape), head.plan, b"".join(raw), modes)


def main():
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            tensor = decode(file.read())
        print(f"{path}: dtype {tensor.dtype}, shape {list(tensor.shape)}, plan {tensor.plan}, "
              f"{len(tensor.data)} bytes, chunk modes {sorted(set(tensor.modes))}")


if __name__ == "__main__":
    main()
