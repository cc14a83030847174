// Command consistent-hash is the built-in strategy of that name: it keeps requests with the same
// key on one backend, and moves few keys when backends change. README.md lists its options.
package main
