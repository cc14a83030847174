//! A strategy in Rust, without its standard library or a crate: the backend with the fewest requests in
//! flight for its weight, of the preferred zone while that has one. README.md says how to build it;
//! sdk/ABI.md is what it speaks.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use core::slice;

#[link(wasm_import_module = "wedge")]
extern "C" {
    fn fail(text: *const u8, len: u32);
    fn loads(records: *mut Load, count: u32);
    fn random() -> u64;
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    core::arch::wasm32::unreachable() // the host sees a trap, and takes another instance
}

const READY: u32 = 0;
const DRAINING: u32 = 1;
const MAX_ROWS: usize = 65535;
const MAX_ZONE: usize = 256;
const MAX_LOADS: usize = 64; // of one call; of a larger pool, a pick looks at so many
const RECORD: usize = 40;
const PAGE: usize = 65536;
const ABSTAIN: u64 = 1 << 32;

/// What a pick needs of a backend. The frame is overwritten by the next request, so it is kept.
#[derive(Clone, Copy)]
struct Row {
    weight: u32,
    state: u32,
    near: bool,
}

/// One record of the import `loads`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Load {
    backend: u32,
    in_flight: i32,
    latency: i64,
}

struct Guest {
    rows: [Row; MAX_ROWS],
    count: usize,
    tier: u32, // the lowest that any row is of
    zone: [u8; MAX_ZONE],
    zone_len: usize,
    records: [Load; MAX_LOADS],
    frame: usize,
    room: usize, // bytes of the frame
}

static mut GUEST: Guest = Guest {
    rows: [Row { weight: 0, state: 0, near: false }; MAX_ROWS],
    count: 0,
    tier: 0,
    zone: [0; MAX_ZONE],
    zone_len: 0,
    records: [Load { backend: 0, in_flight: 0, latency: 0 }; MAX_LOADS],
    frame: 0,
    room: 0,
};

/// The one value of this instance. An instance is never called twice at the same time.
fn guest() -> &'static mut Guest {
    unsafe { &mut *core::ptr::addr_of_mut!(GUEST) }
}

#[no_mangle]
pub extern "C" fn wedge_abi_v1() {}

/// The frame is the end of the memory, on pages of its own; a larger one begins anew behind it.
#[no_mangle]
pub extern "C" fn wedge_frame(size: u32) -> u32 {
    let g = guest();
    if size as usize > g.room {
        let pages = (size as usize + PAGE - 1) / PAGE;
        let before = core::arch::wasm32::memory_grow(0, pages);
        if before == usize::MAX {
            core::arch::wasm32::unreachable()
        }
        g.frame = before * PAGE;
        g.room = pages * PAGE;
    }
    g.frame as u32
}

/// A message of the host, in the frame.
struct Message(&'static [u8]);

impl Message {
    fn new(len: u32) -> Message {
        Message(unsafe { slice::from_raw_parts(guest().frame as *const u8, len as usize) })
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    fn span(&self, at: usize) -> &'static [u8] {
        let off = self.word(at) as usize;
        &self.0[off..off + self.word(at + 4) as usize]
    }

    fn excluded(&self, row: usize) -> bool {
        let list = self.word(8) as usize;
        (0..self.word(12) as usize).any(|i| self.word(list + 4 * i) as usize == row)
    }
}

/// Options: nothing, `{}` or `{"zone": "NAME"}`, without escapes.
struct Options {
    text: &'static [u8],
    at: usize,
}

impl Options {
    fn zone(mut self) -> Option<&'static [u8]> {
        let mut zone: &[u8] = b"";
        if self.text.is_empty() {
            return Some(zone);
        }
        self.is(b'{')?;
        if self.is(b'}').is_none() {
            if self.string()? != b"zone" {
                return None;
            }
            self.is(b':')?;
            zone = self.string()?;
            self.is(b'}')?;
        }
        self.blanks();
        (self.at == self.text.len() && zone.len() <= MAX_ZONE).then(|| zone)
    }

    fn blanks(&mut self) {
        while self.at < self.text.len() && self.text[self.at].is_ascii_whitespace() {
            self.at += 1;
        }
    }

    fn is(&mut self, c: u8) -> Option<()> {
        self.blanks();
        (self.text.get(self.at) == Some(&c)).then(|| self.at += 1)
    }

    fn string(&mut self) -> Option<&'static [u8]> {
        self.is(b'"')?;
        let start = self.at;
        loop {
            let c = *self.text.get(self.at)?;
            self.at += 1;
            match c {
                b'"' => return Some(&self.text[start..self.at - 1]),
                b'\\' | 0..=0x1f => return None,
                _ => {}
            }
        }
    }
}

#[no_mangle]
pub extern "C" fn wedge_configure(len: u32) -> i32 {
    let g = guest();
    let text = if len == 0 { &[][..] } else { Message::new(len).0 };
    match (Options { text, at: 0 }).zone() {
        Some(zone) => {
            g.zone[..zone.len()].copy_from_slice(zone);
            g.zone_len = zone.len();
            0
        }
        None => {
            let wrong = b"options are {\"zone\": \"NAME\"}, without a zone there is no preference";
            unsafe { fail(wrong.as_ptr(), wrong.len() as u32) };
            1
        }
    }
}

/// Tiers of rows, the best first: ready, the same without weight, and those again for the draining,
/// which may get new requests only while no row is ready.
const NONE: u32 = 4;

fn tier(r: &Row) -> u32 {
    match (r.state, r.weight) {
        (READY, 1..) => 0,
        (READY, 0) => 1,
        (DRAINING, 1..) => 2,
        (DRAINING, 0) => 3,
        _ => NONE,
    }
}

#[no_mangle]
pub extern "C" fn wedge_backends(len: u32) -> i32 {
    let (g, m) = (guest(), Message::new(len));
    g.count = m.word(4) as usize;
    g.tier = NONE;
    for i in 0..g.count {
        let at = 8 + RECORD * i;
        let near = g.zone_len > 0 && *m.span(at + 16) == g.zone[..g.zone_len];
        g.rows[i] = Row { weight: m.word(at + 32), state: m.word(at + 36), near };
        g.tier = g.tier.min(tier(&g.rows[i]));
    }
    0
}

/// Numbers for one pick, from one of the host's: SplitMix64 (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d049bb133111eb);
        ((x ^ x >> 31) as u128 * n as u128 >> 64) as u64
    }
}

impl Guest {
    /// Fills the records with up to 64 rows that `keep` wants, from a place of chance on, and counts them.
    fn gather(&mut self, dice: &mut Dice, keep: impl Fn(usize, &Row) -> bool) -> usize {
        let (mut n, start) = (0, dice.below(self.count as u64) as usize);
        for i in (start..self.count).chain(0..start) {
            if keep(i, &self.rows[i]) {
                self.records[n].backend = i as u32;
                n += 1;
            }
            if n == MAX_LOADS {
                break;
            }
        }
        n
    }

    /// The least loaded of the gathered rows; among equals the weights decide, by chance.
    fn least(&mut self, n: usize, dice: &mut Dice) -> u64 {
        unsafe { loads(self.records.as_mut_ptr(), n as u32) };
        let (mut best, mut busy, mut weight, mut total) = (0, 0, 1, 0);
        for l in &self.records[..n] {
            let w = self.rows[l.backend as usize].weight.max(1) as u64;
            let (mine, least) = (l.in_flight.max(0) as u64 * weight, busy * w);
            total = if mine < least || total == 0 { w } else if mine == least { total + w } else { continue };
            if dice.below(total) < w {
                best = l.backend as u64;
            }
            (busy, weight) = (l.in_flight.max(0) as u64, w);
        }
        best
    }
}

#[no_mangle]
pub extern "C" fn wedge_pick(len: u32) -> u64 {
    let (g, m) = (guest(), Message::new(len));
    let pinned = (m.word(4) as usize).wrapping_sub(1); // usize::MAX = none
    if pinned < g.count && tier(&g.rows[pinned]) != NONE && !m.excluded(pinned) {
        return pinned as u64;
    }
    if g.tier == NONE {
        return ABSTAIN;
    }
    let mut dice = Dice(unsafe { random() });
    for t in g.tier..if g.tier < 2 { 2 } else { NONE } {
        for near in [true, false] {
            let n = g.gather(&mut dice, |i, r| tier(r) == t && (r.near || !near) && !m.excluded(i));
            if n > 0 {
                return g.least(n, &mut dice);
            }
        }
    }
    ABSTAIN
}
