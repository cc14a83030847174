// Package route is the match table of the edge: from the host, path and method of a request to the site and
// the route that serve it. A Table is immutable and generic over what a route leads to, so it knows nothing
// of pools, and a lookup allocates nothing.
//
// Hosts are exact names (shop.example.com), a wildcard for exactly one label as in certificates
// (*.example.com), or * for any name; in this order, wherever they stand in the file. A request's host is
// compared without case, port and one trailing dot.
//
// Paths are compared as bytes, as the parser normalised them:
//
//	(none)        any path, and the * of OPTIONS
//	/login        this path only
//	/app/**       /app and everything below it, by whole segments: not /apple
//	/img/*.png    a * stands for any bytes of one segment but a slash
//
// Of a site's routes, the first that matches path and method serves.
package route
