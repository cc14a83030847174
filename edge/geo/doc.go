// Package geo tells the country of an address by a MaxMind DB. A Database is read into memory whole, so that
// a file that is replaced or cut while it is in use does no harm, and is checked as it is read: what a lookup
// can meet has been looked at before. It is the only place that knows the format's library.
package geo
