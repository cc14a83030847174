package config

// TLS says where certificates come from.
type TLS struct {
	Issuer string `yaml:"issuer" default:"acme" enum:"acme,internal"` // of sites that do not say

	// CA is the https URL of the ACME directory; CARoot a PEM file that its own
	// certificate is verified by, "" = the system's.
	CA     string `yaml:"ca" default:"https://acme-v02.api.letsencrypt.org/directory"`
	CARoot File   `yaml:"ca_root"`
	Email  string `yaml:"email"` // for the CA to write to

	// Challenges are the ways to prove a name to the CA: over the plain listener and
	// over the TLS listener.
	Challenges []string `yaml:"challenges" default:"http-01,tls-alpn-01" enum:"http-01,tls-alpn-01"`
	OnDemand   OnDemand `yaml:"on_demand"`
}

// OnDemand lets certificates be made at the first handshake for a name.
type OnDemand struct {
	// Allow lists the names, such as shop.example.com or *.example.com. None = never
	// on demand.
	Allow []string `yaml:"allow"`
}

// SiteTLS is how one site proves itself: a word (acme, internal or off) or a
// section.
type SiteTLS struct {
	Issuer      string      `yaml:"issuer" enum:"acme,internal,off"` // "" = tls.issuer; off = plain HTTP only
	Certificate File        `yaml:"certificate"`                     // PEM chain; with Key, instead of an issuer
	Key         File        `yaml:"key"`                             // PEM
	ClientAuth  *ClientAuth `yaml:"client_auth"`                     // nil = clients are not asked
}

// ClientAuth asks clients for a certificate, alike on h1, h2 and h3.
type ClientAuth struct {
	Mode string `yaml:"mode" default:"require" enum:"require,request"` // request = verified if given
	CA   File   `yaml:"ca,required"`                                   // PEM file of the accepted issuers
}

// Off reports whether the site is served without TLS.
func (t SiteTLS) Off() bool { return t.Issuer == "off" }
