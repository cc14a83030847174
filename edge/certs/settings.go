package certs

import (
	"context"
	"time"
)

// Settings is what a configuration says about TLS. Apply swaps from one to the next.
type Settings struct {
	ACME  ACME
	Sites []Site
}

// ACME names the certificate authority of all sites whose source is SourceACME.
type ACME struct {
	Directory  string   // URL of the directory, https; default Let's Encrypt
	CAFile     string   // PEM file of roots for the directory's own HTTPS; default the system's
	Email      string   // optional contact of the account; the terms of service are agreed to
	Challenges []string // of "http-01" and "tls-alpn-01"; default both
}

// Source says where the certificates of a site come from.
type Source string

// The sources of certificates.
const (
	SourceACME     Source = "acme"
	SourceInternal Source = "internal"
	SourceFiles    Source = "files"
)

// Site is one TLS policy: the hosts it covers, their certificates and what is asked of clients.
//
// A host is a DNS name, an IP address, "*.example.com" (exactly one label, as in certificates) or "*" (any
// name, and clients that send none). The most specific host decides.
type Site struct {
	Name       string // for errors and logs; unique
	Hosts      []string
	Source     Source    // default SourceACME
	Files      []KeyPair // for SourceFiles
	ClientAuth ClientAuth
	OnDemand   *OnDemand // for hosts with a "*" under SourceACME
}

// KeyPair names two PEM files: a certificate with its chain, and its key.
type KeyPair struct {
	Certificate string
	Key         string
}

// ClientMode says whether clients show a certificate.
type ClientMode string

// The modes of client authentication.
const (
	ClientNone    ClientMode = ""        // never asked
	ClientRequest ClientMode = "request" // asked; a certificate that is shown must verify
	ClientRequire ClientMode = "require" // no handshake without a certificate that verifies
)

// ClientAuth is mutual TLS: the mode and the PEM file of the authorities that clients' certificates chain to.
type ClientAuth struct {
	Mode ClientMode
	CA   string
}

// OnDemand lets the first handshake for a name start its order. Only names that Allow admits are ever
// ordered; orders, names and decisions are bounded besides.
type OnDemand struct {
	Allow []string      // names and "*.example.com" patterns; at least one
	Wait  time.Duration // how long a handshake waits for its first certificate; default 5s
	Names int           // names kept at once, the least recently used is dropped; default 1000

	// Decide, if set, is asked after Allow, at most once a minute for a name, outside of the handshake.
	// An error denies the name. It must return when ctx is done.
	Decide func(ctx context.Context, host string) error
}

// SiteError is a fault of what the settings say about one site.
type SiteError struct {
	Site string
	Err  error
}

func (e *SiteError) Error() string { return "tls: site " + e.Site + ": " + e.Err.Error() }

// Unwrap returns the fault itself.
func (e *SiteError) Unwrap() error { return e.Err }
