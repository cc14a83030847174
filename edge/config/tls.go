package config

// TLS says where certificates come from.
type TLS struct {
	Issuer     string   `yaml:"issuer" default:"acme" enum:"acme,internal"` // of sites that do not say
	Email      string   `yaml:"email"`                                      // for the CA to write to
	CA         string   `yaml:"ca" default:"https://acme-v02.api.letsencrypt.org/directory"`
	CARoot     File     `yaml:"ca_root"` // PEM file that the CA's own HTTPS is verified by; default: the system's
	OnDemand   OnDemand `yaml:"on_demand"`
	Challenges []string `yaml:"challenges" default:"http-01,tls-alpn-01" enum:"http-01,tls-alpn-01"` // that may prove a name
}

// OnDemand lets certificates be made at the first handshake for a name.
type OnDemand struct {
	// Allow lists the names, such as shop.example.com or *.example.com (one
	// label). None = never on demand.
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
