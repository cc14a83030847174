package affinity

import (
	"crypto/sha256"
	"crypto/subtle"
)

const macSize = 16

// A key is what one secret becomes for one pool.
type key struct {
	id           [4]byte // the same for every pool
	inner, outer [sha256.BlockSize]byte
	mask         [sha256.Size]byte
}

func newKey(secret []byte, pool string) *key {
	k := &key{
		id:   [4]byte(derive(secret, "key id", "")),
		mask: [sha256.Size]byte(derive(secret, "backend id", pool)),
	}
	copy(k.inner[:], derive(secret, "token", pool))
	k.outer = k.inner
	for i := range k.inner {
		k.inner[i] ^= 0x36
		k.outer[i] ^= 0x5c
	}
	return k
}

// sum is HMAC-SHA-256 (RFC 2104) of head and id, cut. It is written out because hmac.New allocates and a free
// list of its values would be a lock for all requests.
func (k *key) sum(head *[headSize]byte, id []byte) [macSize]byte {
	var buf [sha256.BlockSize + headSize + maxID]byte
	n := copy(buf[:], k.inner[:])
	n += copy(buf[n:], head[:])
	n += copy(buf[n:], id)
	inner := sha256.Sum256(buf[:n])
	n = copy(buf[:], k.outer[:])
	n += copy(buf[n:], inner[:])
	outer := sha256.Sum256(buf[:n])
	return [macSize]byte(outer[:macSize])
}

// hide masks id in place, or unmasks it.
func (k *key) hide(mac [macSize]byte, id []byte) {
	var buf [sha256.Size + macSize + 1]byte
	copy(buf[:], k.mask[:])
	copy(buf[sha256.Size:], mac[:])
	for ; len(id) > 0; buf[len(buf)-1]++ {
		block := sha256.Sum256(buf[:])
		n := min(len(id), len(block))
		subtle.XORBytes(id[:n], id[:n], block[:])
		id = id[n:]
	}
}
