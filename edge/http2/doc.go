// Package http2 is the server side of the HTTP/2 wire (RFC 9113): frames, HPACK (RFC 7541), the states of
// streams, windows and the budgets that keep a client from making us work for nothing. It opens no
// connection, starts no goroutine and takes no lock; package listen serves connections with it.
//
// Bytes become frames in a Reader, which holds each to what its type demands (Header.Check). Streams says
// what a frame means where its stream stands. Fields come out of a Block by way of a Decoder, and go out
// through AppendField, without Huffman's code and without a dynamic table: the decoder on the other side
// keeps nothing for us, and nothing is allocated here. Its primitives (Scanner, AppendPrefixed) are QPACK's
// too.
package http2
