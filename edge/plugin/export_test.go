package plugin

// SipHash is what guests see of hashed attributes.
var SipHash = siphash

// Unmetered is for comparisons: guests run as they are, and without end if they want.
func Unmetered(o Options) Options {
	o.unmetered = true
	return o
}
