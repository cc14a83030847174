package edge

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/wedge-lb/wedge/edge/config"
)

// upstreamTLS reads the files that t, at path in c, names. Errors are faults of c.
func upstreamTLS(c *config.Config, path string, t config.UpstreamTLS) (*tls.Config, error) {
	conf := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	var faults []error
	if t.CA != "" {
		var err error
		if conf.RootCAs, err = backendRoots(string(t.CA)); err != nil {
			faults = append(faults, c.Fault(path+".ca", err.Error()))
		}
	}
	if t.Certificate != "" {
		pair, err := clientPair(c, path, t)
		faults = append(faults, err)
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, errors.Join(faults...)
}

func backendRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return roots, nil
}

// clientPair reads what backends that ask for a client certificate are shown.
func clientPair(c *config.Config, path string, t config.UpstreamTLS) (tls.Certificate, error) {
	chain, certErr := os.ReadFile(string(t.Certificate))
	if certErr != nil {
		certErr = c.Fault(path+".certificate", certErr.Error())
	}
	key, keyErr := os.ReadFile(string(t.Key))
	if keyErr != nil {
		keyErr = c.Fault(path+".key", keyErr.Error())
	}
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		err = c.Fault(path+".certificate", fmt.Sprintf("certificate %s with key %s: %s", t.Certificate, t.Key, err))
	}
	return pair, err
}
