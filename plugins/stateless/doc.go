// Command stateless is the built-in strategy of that name: it chooses by load, latency or turn,
// and keeps nothing about clients. Rules may prefer backends of a zone or with a label.
// README.md lists its options.
package main
