// Package proxy is one exchange from its request to the end of its answer: route, pick, forward, retry,
// upgrade, error page. It knows neither Wasm nor QUIC nor net/http: the fronts of every protocol fill the same
// Exchange, and what it needs of the backends' side it declares as an interface (Upstream).
package proxy
