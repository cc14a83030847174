// A strategy in AssemblyScript: a client with a token goes where it is pinned, one without is placed by the
// hash of a cookie, or by chance if it has none, and is pinned there. README.md says how to build it;
// sdk/ABI.md is what it speaks.

@external("wedge", "need") declare function need(kind: u32, name: usize, len: u32, form: u32): i32;
@external("wedge", "fail") declare function fail(text: usize, len: u32): void;
@external("wedge", "random") declare function random(): u64;

const KIND_COOKIE: u32 = 8;
const FORM_HASH: u32 = 1;
const ABSENT: u32 = 0xffffffff;
const READY: u32 = 0;
const DRAINING: u32 = 1;
const ABSTAIN: u64 = 1 << 32;
const PIN: u64 = 1 << 40;
const RECORD: u32 = 40;
const PAGE: usize = 65536;

// What a pick needs of a backend, 16 bytes each: u64 hash of the id, u32 weight, u32 state. The frame is
// overwritten by the next request, so it is kept.
const ROW: usize = 16;
const rows = memory.data(65535 * 16, 8);
let count: u32 = 0;
let open: u32 = 0; // the state of those that may get any request: ready, or draining if none is ready

let frame: usize = 0;
let room: usize = 0; // bytes of the frame

export function wedge_abi_v1(): void {}

// The frame is the end of the memory, on pages of its own; a larger one begins anew behind it.
export function wedge_frame(size: usize): usize {
  if (size > room) {
    const pages = <i32>((size + PAGE - 1) / PAGE);
    const before = memory.grow(pages);
    if (before < 0) unreachable();
    frame = <usize>before * PAGE;
    room = <usize>pages * PAGE;
  }
  return frame;
}

function word(at: u32): u32 {
  return load<u32>(frame + at);
}

// Options: nothing, {} or {"cookie": "NAME"}, without escapes.

let at: usize = 0;
let end: usize = 0;
let name: usize = 0; // the last text, and how long it is
let length: usize = 0;

function blanks(): void {
  while (at < end && (load<u8>(at) == 32 || (load<u8>(at) >= 9 && load<u8>(at) <= 13))) at++;
}

function is(c: u8): bool {
  blanks();
  if (at == end || load<u8>(at) != c) return false;
  at++;
  return true;
}

function text(): bool {
  if (!is(0x22)) return false;
  for (name = at; at < end; at++) {
    const c = load<u8>(at);
    if (c == 0x22) {
      length = at - name;
      at++;
      return true;
    }
    if (c == 0x5c || c < 32) return false;
  }
  return false;
}

function same(s: string): bool {
  let i = 0;
  while (i < s.length && <usize>i < length && load<u8>(name + i) == s.charCodeAt(i)) i++;
  return i == s.length && <usize>i == length;
}

// write puts a text of ASCII into the frame. It does not allocate, and neither does anything else here: the
// allocator would take the frame's pages for its own.
function write(s: string): u32 {
  for (let i = 0; i < s.length; i++) store<u8>(frame + i, <u8>s.charCodeAt(i));
  return s.length;
}

function options(): bool {
  if (at == end) return true;
  if (!is(0x7b)) return false; // {
  if (!is(0x7d)) { // }
    if (!text() || !same("cookie")) return false;
    if (!is(0x3a) || !text() || length == 0 || !is(0x7d)) return false; // :
  }
  blanks();
  return at == end;
}

export function wedge_configure(len: u32): i32 {
  at = frame;
  end = frame + len;
  length = 0;
  if (!options()) {
    fail(frame, write('options are {"cookie": "NAME"}, the default being session'));
    return 1;
  }
  if (length == 0) {
    name = frame;
    length = write("session");
  }
  return need(KIND_COOKIE, name, <u32>length, FORM_HASH) < 0 ? 1 : 0; // slot 0
}

function mix(x: u64): u64 { // the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

function hash(off: u32, len: u32): u64 { // FNV-1a, mixed
  let h: u64 = 0xcbf29ce484222325;
  for (let i: u32 = 0; i < len; i++) h = (h ^ load<u8>(frame + off + i)) * 0x100000001b3;
  return mix(h);
}

function id(row: usize): u64 {
  return load<u64>(rows + row * ROW);
}

function weight(row: usize): u32 {
  return load<u32>(rows + row * ROW, 8);
}

function state(row: usize): u32 {
  return load<u32>(rows + row * ROW, 12);
}

export function wedge_backends(len: u32): i32 {
  count = word(4);
  open = DRAINING;
  for (let i: u32 = 0; i < count; i++) {
    const from = 8 + RECORD * i;
    const to = rows + ROW * <usize>i;
    store<u64>(to, hash(word(from), word(from + 4)));
    store<u32>(to, word(from + 32), 8);
    store<u32>(to, word(from + 36), 12);
    if (state(i) == READY) open = READY;
  }
  return 0;
}

function excluded(row: u32): bool {
  const list = word(8);
  const n = word(12);
  for (let i: u32 = 0; i < n; i++) {
    if (word(list + 4 * i) == row) return true;
  }
  return false;
}

// placed is the open row with the highest hash for the key, which moves few keys when the table changes; of
// equal shares, whatever the weights, but for rows without one. -1 = none.
function placed(key: u64, weightless: bool): i32 {
  let best: u64 = 0;
  let row: i32 = -1;
  for (let i: u32 = 0; i < count; i++) {
    if (state(i) != open || (weight(i) == 0 && !weightless) || excluded(i)) continue;
    const score = mix(key ^ id(i));
    if (row < 0 || score > best) {
      best = score;
      row = i;
    }
  }
  return row;
}

export function wedge_pick(len: u32): u64 {
  const pinned = word(4);
  if (pinned > 0 && state(pinned - 1) <= DRAINING && !excluded(pinned - 1)) return <u64>(pinned - 1) | PIN;
  const key = word(24) == ABSENT ? random() : load<u64>(frame + word(20));
  let row = placed(key, false);
  if (row < 0) row = placed(key, true);
  return row < 0 ? ABSTAIN : <u64>row | PIN;
}
