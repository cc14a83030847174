// Command ip-affinity is the built-in strategy of that name: it keeps the clients of one network
// on one backend, by the address of the client. README.md lists its options.
package main
