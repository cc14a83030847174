// Package balance holds the backends that can answer the same requests (Pool), their states and load, the
// one-method interface of everything that chooses among them (Picker), and the edge's own choice (Fallback).
// It weighs what is said of their health: who comes back starts slowly, and below the panic threshold nothing is
// believed. It starts no goroutine and knows neither Wasm nor sockets.
//
// A Pool lives as long as the process knows its name: a reload updates it by backend id, so counters, states
// and health survive. What a request sees is a Set, one immutable table of rows, loaded once per pick.
package balance
