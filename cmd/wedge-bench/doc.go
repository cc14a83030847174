// Command wedge-bench measures what a proxied request costs the edge, beside nginx, HAProxy and others that
// do the same in the same minutes.
//
// The figure is CPU time of the proxy's processes (user and system, children included, from /proc) divided by
// the requests that reached the backends meanwhile; requests/s, percentiles and, of the edge, heap
// allocations stand beside it. CPU time is far steadier than a rate on a machine that is shared, and a ratio
// steadier still: quote ratios.
//
// Method:
//   - Every contender has one processor and one worker or thread, keep-alive on both sides, round robin over
//     three backends, no access log, TLS 1.3 with one ECDSA P-256 certificate, and the key exchange X25519.
//   - Backends (nginx, answers of 1 KiB) and load (h2load, or subcommands of this program where h2load
//     cannot) share the other processor, so that nothing of theirs is in the proxy's account.
//   - Contenders take turns, A B C A B C, and medians of the rounds count. A round with an error is told and
//     not counted.
//   - A window in the middle of each load is measured: at both of its ends the CPU time of the proxy is read
//     together with the backends' own count of requests.
//   - Memory is that of connections at rest: it is read once it has not fallen for longer than the edge takes to
//     give back what a burst of handshakes took, whatever the length of the windows.
//
// What it cannot remove: CPU time grows when something else uses the proxy's processor, because caches are
// shared with it. The share that others had is therefore measured and told where it is large.
//
// It listens on loopback only, writes to one temporary folder only, and ends what it started.
package main
