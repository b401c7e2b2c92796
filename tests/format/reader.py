#!/usr/bin/python3
"""Dumps the rumcask database in argv[1]: one line `hexkey hexvalue` per key, ascending.

Written from core/FORMAT.md alone. It checks that the page is sufficient, and it is a start for
readers in other languages. It is short rather than fast, and holds all files in memory. Exit status 3
after any damage, with messages on standard error; if it is in single records only, all other keys are
printed.
"""
import os, re, struct, sys
from struct import pack, unpack_from
from xxhash import xxh3_64_intdigest as xxh3

PUT, DELETE, LOST, MARK, FENCE, MASK = 1, 2, 3, 4, 5, 2**64 - 1

class Damage(Exception): pass
class Newer(Exception): pass
def check(ok, *message):
    if not ok: raise Damage(' '.join(map(str, message)))
def known(ok, *message):
    if not ok: raise Newer(' '.join(map(str, message)) + ': needs a newer reader')

def varints(data, at, count):
    values = []
    for _ in range(count):
        start = at
        while data[at] > 127: at += 1
        at += 1
        values.append(sum((data[i] & 127) << 7 * (i - start) for i in range(start, at)) & MASK)
    return values, at

def read_manifest(data):
    for copy in (data, data[len(data) // 2:]):
        version, length, checksum = unpack_from('<IIQ', copy, 8)
        body, at, sealed, unsealed, last = copy[24:24 + length], 24, {}, {}, 0
        if (copy[:8], len(body), checksum) == (b'rumcaskL', length, xxh3(body, version)): break
    else: raise Damage('MANIFEST: no valid copy')
    known(version == 0 and unpack_from('<I', body) == (0,), 'MANIFEST')
    (_, name), at = varints(body, at, 2)
    (_, highest_id, durable, _, _), at = varints(body, at + name + 1, 5)
    (ranges,), at = varints(body, at + 1, 1)
    for _ in range(ranges):
        (distance,), at = varints(body, at, 1)
        flags, at, end, more = body[at], at + 1, 0, 0
        known(flags < 32 and flags & 3 in (1, 2), 'MANIFEST')
        if flags & 8: (end,), at = varints(body, at, 1)
        if flags & 16: (more,), at = varints(body, at, 1)
        first, last = last + distance, last + distance + more
        which = sealed if flags & 4 else unsealed
        which.update((id, (flags & 3, end * 8)) for id in range(first, last + 1))
    return body[8:24], highest_id, durable, sealed, unsealed  # the last two are keyed by id

def unpack_keys(table, at, sizes):
    """The keys of a block, which begin at `at`, and where they end."""
    (size,), at = varints(table, at, 1)
    prefix, coding, at = table[at:at + size], table[at + size], at + size + 1
    count = sum(size - len(prefix) for size in sizes if size)
    if coding == 0: rest, at = table[at:at + count], at + count
    else:
        alphabet, at = table[at + 1:at + 1 + table[at]], at + 1 + table[at]
        held = bits = 0
        rest = bytearray()
        while len(rest) < count:
            while bits < coding: held, bits, at = held | table[at] << bits, bits + 8, at + 1
            value, held, bits = held & (1 << coding) - 1, held >> coding, bits - coding
            for _ in range(3 if coding == 10 else 1):
                rest.append(alphabet[value % len(alphabet)])
                value //= len(alphabet)
        rest = bytes(rest[:count])
    keys, used = [], 0
    for size in sizes:
        end = used + max(0, size - len(prefix))
        keys.append(prefix[:size] + rest[used:end])
        used = end
    return keys, at

class Segment:
    def __init__(self, id, data, uuid):
        self.id, self.data, self.name = id, data, '%016x.seg' % id
        self.seed = xxh3(uuid + pack('<Q', id))
        self.stream = self.durable = 0  # stay 0 if the header is not valid
        if data[:8] == b'rumcask\n' and data[120:128] == pack('<Q', xxh3(data[:120], self.seed)):
            version, self.stream = unpack_from('<IB', data, 8)
            known((version, *unpack_from('<I', data, 80)) == (0, 0), self.name)
            known(self.stream in (1, 2), self.name)
            *self.link, self.durable = unpack_from('<QQQQ', data, 48)

    def record_at(self, at):
        """(number, kind, part, key, value, checksum, end) if a record verifies at `at`."""
        if at + 24 > len(self.data): return
        checksum, number, values, keys, kind, part = unpack_from('<QQIHBB', self.data, at)
        end, after = at + 24 + keys + values, at + (24 + keys + values + 7) // 8 * 8
        if kind == 0 or after > len(self.data): return
        key, value = self.data[at + 24:end - values], self.data[end - values:end]
        head = self.data[at + 8:at + 24] + pack('<Q', xxh3(value, xxh3(key)))
        if xxh3(head, self.seed + at & MASK) != checksum: return None
        known((kind <= FENCE or 32 <= kind < 64) and part < 4 and number < 2**63 and
              values <= 2**30 + 512, self.name, 'at', at)
        return number, kind, part, key, value, checksum, after

    def scan(self):
        """Sets entries, end and last checksum by reading record after record."""
        found, at, good = [], 128, (0, 128, 0)
        while record := self.record_at(at):
            found.append((record[0], self.id, at, record[1], record[3]))
            at = record[6]
            if record[2] in (0, 3): good = len(found), at, record[5]
        self.entries, self.end, self.last = found[:good[0]], *good[1:]

    def read_footer(self):
        """The same from key table and trailer; False if these are damaged."""
        trailer, self.entries, at, offset, before = self.data[-128:].ljust(128), [], 0, 128, 0
        magic, self.end, length, tables, count = unpack_from('<8sQQQI', trailer)
        self.last, *_, checksum = unpack_from('<QQQQQQQ', trailer, 72)
        table = self.data[self.end:self.end + length]
        if (magic, checksum) != (b'rumcaskT', xxh3(trailer[:120], self.seed)): return False
        known(unpack_from('<I', trailer, 112) == (0,), self.name)
        if tables != xxh3(table, self.seed): return False
        while at < length:
            (size,), at = varints(table, at, 1)
            shape, at = table[at], at + 1
            known(shape < 16, self.name)
            def column(bit): return size if shape & bit else 1
            def spread(values): return values * size if len(values) < size else values
            tags, at = spread(list(table[at:at + column(1)])), at + column(1)
            known(all(tag & 63 <= FENCE or tag & 63 >= 32 for tag in tags), self.name)
            key_sizes, at = varints(table, at, column(2))
            value_sizes, at = varints(table, at, column(4))
            numbers, at = varints(table, at, column(8))
            keys, at = unpack_keys(table, at, spread(key_sizes))
            for i, (tag, key, values) in enumerate(zip(tags, keys, spread(value_sizes))):
                step = numbers[i] if i < len(numbers) else 1
                if tag & 63 == MARK: step = step // 2 if step % 2 == 0 else -(step + 1) // 2
                number = before + step & MASK
                if tag & 63 != MARK: before = number
                self.entries.append((number, self.id, offset, tag & 63, key))
                offset += (24 + len(key) + values + 7) // 8 * 8
        check(count == len(self.entries) and offset == self.end, self.name, 'has a wrong footer')
        return True

    def promised(self):
        """The highest number that the header or a sync mark anywhere calls durable."""
        places = (found.start() - 16 for found in re.finditer(b'(?=\0{6}\4\0)', self.data))
        begin = 128 if self.stream else 0
        records = (self.record_at(at) for at in places if at >= begin and at % 8 == 0)
        return max([self.durable] + [record[0] for record in records if record])

def live_segments(directory):
    """The segments that count, by id, with their entries."""
    def load(name): return open(os.path.join(directory, name), 'rb').read()
    uuid, highest_id, highest, sealed, unsealed = read_manifest(load('MANIFEST'))
    segments, live, before, link = {}, {}, 0, [0, 0, 0]
    for name in sorted(os.listdir(directory)):
        id = int(name[:16], 16) if re.fullmatch('[0-9a-f]{16}[.]seg', name) else 0
        if id in sealed or id in unsealed or id > highest_id:
            segments[id] = Segment(id, load(name), uuid)
    for id, (stream, end) in sealed.items():
        check(id in segments, 'sealed segment', id, 'is missing')
        live[id] = segment = segments[id]
        if segment.read_footer(): pass
        elif stream == 2:  # then MANIFEST has the end
            segment.scan()
            check(segment.end >= end, segment.name, 'has lost records')
            segment.entries = [entry for entry in segment.entries if entry[2] < end]
        else:  # then the next segment's header or F has the end
            segment.scan()
            ends = [s.link for s in segments.values() if s.stream and s.link[0] == id]
            here, last = [id, segment.end, segment.last], max(segment.entries, default=[0])[0]
            check(here in ends if ends else last >= highest, segment.name, 'has lost records')
        if stream == 1: before, link = id, [id, segment.end, segment.last]
    loose = [s for id, s in segments.items() if id not in sealed and s.stream != 2]
    links = [link]  # first that of the last segment with records, then those of segments without
    for segment in [s for s in loose if s.stream == 1]:
        segment.scan()
        gone = before < segment.link[0] <= highest_id and segment.link[0] not in segments
        if segment.link in links: del links[links.index(segment.link) + 1:]
        elif not (gone and links[0][0] == before): continue
        else: del links[1:]
        live[segment.id] = segment
        if segment.entries: links = []
        links.append([segment.id, segment.end, segment.last])
        highest = max([highest] + [entry[0] for entry in segment.entries if entry[3] != MARK])
    for id, (stream, end) in unsealed.items():
        if stream == 2 and id in segments:
            live[id] = segments[id]
            live[id].scan()
            live[id].entries = [entry for entry in live[id].entries if entry[2] < end]
        check(not end or id in live and live[id].end >= end, 'segment', id, 'is too short')
    promised = max([0] + [segment.promised() for segment in loose])
    check(promised <= highest, 'records up to', promised, 'are promised,', highest, 'is the last')
    return live

def main(directory):
    segments, status = live_segments(directory), 0
    entries = sorted(entry for segment in segments.values() for entry in segment.entries)
    newest = {entry[4]: entry for entry in entries if entry[3] in (PUT, DELETE, LOST)}
    for key, (number, id, at, kind, _) in sorted(newest.items()):
        record = segments[id].record_at(at) or [None] * 7
        if (number, kind, key) != (record[0], PUT, record[3]) and kind != DELETE:
            print(segments[id].name, 'at', at, key.hex(), 'is damaged', file=sys.stderr)
            status = 3
        elif kind == PUT: print(key.hex(), record[4].hex())
    return status

if __name__ == '__main__':
    try: sys.exit(main(sys.argv[1]))
    except (Damage, Newer, OSError, struct.error, IndexError) as e: print(e, file=sys.stderr)
    sys.exit(3)
