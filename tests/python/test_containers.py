"""The plain decoder against the codec: it must read every container that make_containers writes, and every golden file.

usage: test_containers.py MAKE_CONTAINERS VECTORS_DIRECTORY
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy  # noqa: F401
    import xxhash
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

import decoder


def check_made(make_containers):
    """Compares with the codec's own bytes. Returns how many containers, and the chunk modes they had."""
    count, modes = 0, set()
    with tempfile.TemporaryDirectory(prefix="spillway-containers-") as directory:
        subprocess.run([make_containers, directory], check=True)
        for path in sorted(pathlib.Path(directory).glob("*.swc")):
            tensor = decoder.decode(path.read_bytes())
            if tensor.data != path.with_suffix(".raw").read_bytes():
                raise AssertionError(f"{path.name}: decoded to other bytes")
            modes.update(tensor.modes)
            count += 1
    return count, modes


def check_golden(vectors):
    """Compares with the digests that were noted when the files were made."""
    lines = (vectors / "SUMS").read_text().splitlines()
    for line in lines:
        digest, name = line.split()
        data = decoder.decode((vectors / name).read_bytes()).data
        if xxhash.xxh3_64_hexdigest(data) != digest:
            raise AssertionError(f"{name}: decoded to other bytes")
    on_disk = sorted(path.name for path in vectors.glob("*.swc"))
    if on_disk != sorted(line.split()[1] for line in lines):
        raise AssertionError("SUMS and the files beside it disagree")
    return len(lines)


def check_damage(vectors):
    """The decoder itself notices damage, so that agreeing with it means something."""
    data = bytearray((vectors / "F32_lossless_normal_65.swc").read_bytes())
    for at in range(len(data)):
        data[at] ^= 1
        try:
            decoder.decode(data)
        except (decoder.Corrupt, decoder.Unsupported):
            data[at] ^= 1
            continue
        raise AssertionError(f"byte {at} changed and nobody noticed")


def main():
    make_containers, vectors = sys.argv[1], pathlib.Path(sys.argv[2])
    count, modes = check_made(make_containers)
    expected = {decoder.RAW, decoder.SFP, decoder.CODED, decoder.WINDOW, decoder.DICTIONARY, decoder.ZSTD,
                decoder.ROWS, decoder.CODED_MANTISSAS, decoder.GECKO_DELTA, decoder.CONSTANT, decoder.GECKO_BIAS}
    expected |= set(decoder.formats.MODES)
    if modes != expected or count < 1000:
        raise AssertionError(f"{count} containers with modes {modes}: some mode was never tried")
    golden = check_golden(vectors)
    check_damage(vectors)
    print(f"{count} containers and {golden} golden files read")


if __name__ == "__main__":
    main()
