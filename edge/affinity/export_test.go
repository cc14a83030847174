package affinity

// Siphash is siphash, for its published vectors.
var Siphash = siphash
