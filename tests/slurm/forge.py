#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""forge.py IMAGE - change a byte of memory in an image, and make its checksum
right again: as whoever can write root's files on the file system would."""
import struct
import sys

CHUNK = 32
RECORD = struct.Struct("<HHIQII")
CHUNK_HEAD = struct.Struct("<IIIIQQQ")


def table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        yield byte


TABLE = list(table())


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


def find_chunk(image):
    at = 0
    while at < len(image):
        record = RECORD.unpack_from(image, at)
        if record[0] == CHUNK:
            return at, record
        at += RECORD.size + record[3]
        at += -at % 8
    sys.exit("no chunk in the image")


def forge(image):
    at, record = find_chunk(image)
    head = list(CHUNK_HEAD.unpack_from(image, at + RECORD.size))
    start = at + head[6]
    image[start + head[5] - 1] ^= 1
    head[3] = crc32c(image[start:start + head[5]])
    CHUNK_HEAD.pack_into(image, at + RECORD.size, *head)
    RECORD.pack_into(image, at, *record[:4], 0, 0)
    crc = crc32c(image[at:start])
    RECORD.pack_into(image, at, *record[:4], crc, 0)
    print(f"{sys.argv[1]}: byte {start + head[5] - 1} changed")


with open(sys.argv[1], "r+b") as file:
    content = bytearray(file.read())
    forge(content)
    file.seek(0)
    file.write(content)
