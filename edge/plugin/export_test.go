package plugin

// SipHash is what guests see of hashed attributes.
var SipHash = siphash
