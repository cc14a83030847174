// A strategy in C, without a library: it keeps the clients that share a header on one backend, by
// rendezvous hashing (Thaler and Ravishankar, 1998; weights after Schindelhauer and Schomaker, 2005).
// README.md says how to build it; sdk/ABI.md is what it speaks.

typedef unsigned char u8;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("wedge"), import_name(name)))

IMPORT("need") i32 need(u32 kind, const void *name, u32 len, u32 form);
IMPORT("fail") void fail(const void *text, u32 len);

enum { KIND_HEADER = 7, FORM_HASH = 1 };
enum { READY, DRAINING };
enum { MAX_ROWS = 65535, RECORD = 40, PAGE = 65536 };
#define ABSENT 0xFFFFFFFFu
#define ROUTE(row) ((u64)(row))
#define ABSTAIN ((u64)1 << 32)

// A row is what a pick needs of a backend. The frame is overwritten by the next request, so it is kept here.
static struct { u64 id; u32 weight, share, state; } rows[MAX_ROWS];
static u32 count;
static u32 open; // the state of those that may get any request: ready, or draining if none is

extern u8 __heap_base;
static u32 room; // bytes of the frame, which is all that lies behind the static data

static u8 *frame(void) { return &__heap_base; }

static u32 word(u32 at) {
	const u8 *p = frame() + at;
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

EXPORT("wedge_abi_v1") void version(void) {}

EXPORT("wedge_frame") u8 *reserve(u32 size) {
	if (size > room) {
		u64 end = (u64)(u32)frame() + size;
		u64 pages = (end + PAGE - 1) / PAGE, have = __builtin_wasm_memory_size(0);
		if (pages > have && __builtin_wasm_memory_grow(0, pages - have) == (u32)-1) __builtin_trap();
		room = size;
	}
	return frame();
}

// Options: {} or {"header": "NAME"}, without escapes.

static u32 at, end;

static int blank(u8 c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static int is(u8 c) {
	while (at < end && blank(frame()[at])) at++;
	if (at == end || frame()[at] != c) return 0;
	at++;
	return 1;
}

static int text(const u8 **start, u32 *len) {
	if (!is('"')) return 0;
	*start = frame() + at;
	for (*len = 0; at < end; (*len)++) {
		u8 c = frame()[at++];
		if (c == '"') return 1;
		if (c == '\\' || c < ' ') return 0;
	}
	return 0;
}

static int same(const u8 *a, u32 len, const char *b) {
	for (u32 i = 0; i < len; i++)
		if (a[i] != (u8)b[i]) return 0;
	return b[len] == 0;
}

static int options(const u8 **name, u32 *len) {
	const u8 *key;
	u32 n;
	if (at == end) return 1; // no options at all
	if (!is('{')) return 0;
	if (!is('}')) {
		if (!text(&key, &n) || !same(key, n, "header") || !is(':') || !text(name, len) || !is('}')) return 0;
	}
	is(0); // skips the blanks at the end
	return at == end && *len > 0;
}

EXPORT("wedge_configure") i32 configure(u32 len) {
	static const char wrong[] = "options are {\"header\": \"NAME\"}, the header's default being x-tenant-id";
	const u8 *name = (const u8 *)"x-tenant-id";
	u32 n = 11;
	at = 0, end = len;
	if (!options(&name, &n)) {
		fail(wrong, sizeof wrong - 1);
		return 1;
	}
	return need(KIND_HEADER, name, n, FORM_HASH) < 0; // slot 0
}

static u64 mix(u64 x) { // the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static u64 hash(u32 off, u32 len) { // FNV-1a, mixed
	u64 h = 0xcbf29ce484222325u;
	for (u32 i = 0; i < len; i++) h = (h ^ frame()[off + i]) * 0x100000001b3u;
	return mix(h);
}

// share is the weight by which keys are placed: while a backend starts slowly, that of the last label,
// wedge.weight, so that keys stay put.
static u32 share(u32 off, u32 len, u32 weight) {
	static const char name[] = "wedge.weight";
	u32 n = sizeof name; // with its zero
	u32 key = len, seen = 0;
	while (key > 0 && seen < 3) // the last key starts behind the last zero but two, or where the labels do
		if (frame()[off + --key] == 0) seen++;
	if (seen == 3) key++;
	if (len - key < n || !same(frame() + off + key, n - 1, name)) return weight;
	u32 value = 0;
	for (u32 i = key + n; i < len && frame()[off + i]; i++) value = value * 10 + (frame()[off + i] - '0');
	return value;
}

EXPORT("wedge_backends") i32 backends(u32 len) {
	count = word(4), open = DRAINING;
	for (u32 i = 0; i < count; i++) {
		u32 r = 8 + RECORD * i;
		rows[i].id = hash(word(r), word(r + 4));
		rows[i].weight = word(r + 32);
		rows[i].share = share(word(r + 24), word(r + 28), rows[i].weight);
		rows[i].state = word(r + 36);
		if (rows[i].state == READY) open = READY;
	}
	return 0;
}

static int excluded(u32 row) {
	u32 list = word(8), n = word(12);
	for (u32 i = 0; i < n; i++)
		if (word(list + 4 * i) == row) return 1;
	return 0;
}

// minus_log is -ln((x + ½) / 2^64): by the exponent, and the series of atanh for the rest.
static double minus_log(u64 x) {
	u32 zeros = __builtin_clzll(x | 1);
	double m = ((double)(x << zeros) + 0.5) / 18446744073709551616.0; // ½ to 1
	double t = (1 - m) / (1 + m), s = t * t;
	double rest = 2 * t * (1 + s * (1 / 3. + s * (1 / 5. + s * (1 / 7. + s * (1 / 9. + s / 11)))));
	return zeros * 0.6931471805599453 + rest;
}

// best is the open row with the lowest score for the key; weightless ones only if they may be. -1 = none.
static i32 best(u64 key, int weightless) {
	double lowest = 0;
	i32 row = -1;
	for (u32 i = 0; i < count; i++) {
		if (rows[i].state != open || (rows[i].weight == 0 && !weightless) || excluded(i)) continue;
		u32 by = rows[i].share > 0 ? rows[i].share : 1;
		double score = minus_log(mix(key ^ rows[i].id)) / by;
		if (row < 0 || score < lowest) lowest = score, row = (i32)i;
	}
	return row;
}

EXPORT("wedge_pick") u64 pick(u32 len) {
	u32 pinned = word(4);
	if (pinned > 0 && rows[pinned - 1].state <= DRAINING && !excluded(pinned - 1)) return ROUTE(pinned - 1);
	if (word(24) == ABSENT) return ABSTAIN; // no header: the edge's own choice
	u64 key = mix(word(word(20)) | (u64)word(word(20) + 4) << 32);
	i32 row = best(key, 0);
	if (row < 0) row = best(key, 1);
	return row < 0 ? ABSTAIN : ROUTE(row);
}
