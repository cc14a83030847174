// Package affinity is what brings a client back to its backend: tokens that the edge issues and checks, the
// cookie that carries them, and the keys behind both. Affinity belongs to a pool, so a token outlives any
// strategy.
//
// A token is base64url, without padding, of
//
//	version 1 | key id 4 | issued 8 | last seen 4 | MAC 16 | backend id, masked
//
// big-endian: the version is 2, issued in Unix microseconds and last seen in Unix seconds. The MAC is
// HMAC-SHA-256, cut to 16 bytes, over everything else with the plain backend id, under a key derived from the
// configured secret and the pool's name: a token of one pool is none of another. The id is masked by SHA-256
// of a second derived key and the MAC (the shape of SIV, RFC 5297), since an id may well be an address. Of
// several secrets the first signs and all verify.
//
// Applications that have session ids of their own need no token: a table keeps which backend has which
// session, by a keyed hash of the id.
//
// The package starts no goroutine and a check allocates nothing.
package affinity
