// Command cookie-sticky is the built-in strategy of that name: it keeps a session on one backend,
// by the edge's own token or by the session id of the application. README.md lists its options.
package main
