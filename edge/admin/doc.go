// Package admin is the edge's API for its operator, on a listener of its own, and the client that the command
// line uses. It knows the edge only by the small interfaces of Control.
//
// A unix socket is made with mode 0600: who may open it may do everything. On TCP a request needs the token;
// without a token only a loopback address is accepted. Browsers are kept out by Host and Origin, paths are
// matched exactly as they came, bodies are bounded, and writes are never GET. Errors are
// application/problem+json (RFC 9457) that tell the place and the way out.
//
//	GET   /livez  /readyz  /metrics
//	GET   /v1/status  /v1/config  /v1/certificates  /v1/ca
//	POST  /v1/config/reload
//	GET   /v1/strategies  /v1/strategies/{s}
//	POST  /v1/strategies/{s}/swap
//	GET   /v1/pools  /v1/pools/{p}  /v1/pools/{p}/backends/{b}
//	PATCH /v1/pools/{p}/backends/{b}
package admin
