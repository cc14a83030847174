package certs

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// issuer is certmagic's Issuer over our own challenges. certmagic's ACMEIssuer would open ports of its own
// and keep accounts, limits and challenges in process-wide variables. It is safe for concurrent use.
type issuer struct {
	authority *authority
	client    *acme.Client
	storage   *storage
	active    *challenges

	turn    chan struct{} // held to read or register the account
	account acme.Account  // registered in this process, or zero
}

func newIssuer(a *authority, s *storage, c *challenges, log *slog.Logger) *issuer {
	return &issuer{authority: a, client: a.client(log), storage: s, active: c, turn: make(chan struct{}, 1)}
}

func (i *issuer) close() { i.client.HTTPClient.CloseIdleConnections() }

// IssuerKey implements certmagic.Issuer.
func (i *issuer) IssuerKey() string { return i.authority.key }

// Issue implements certmagic.Issuer.
func (i *issuer) Issue(
	ctx context.Context, csr *x509.CertificateRequest,
) (*certmagic.IssuedCertificate, error) {
	chains, err := i.order(ctx, csr)
	var problem acme.Problem
	if errors.As(err, &problem) && problem.Type == acme.ProblemTypeAccountDoesNotExist {
		i.forget()
		chains, err = i.order(ctx, csr)
	}
	if err != nil {
		return nil, fmt.Errorf("order at %s: %w", i.authority.directory, err)
	}
	if len(chains) == 0 {
		return nil, fmt.Errorf("order at %s: no certificate in the answer", i.authority.directory)
	}
	return &certmagic.IssuedCertificate{Certificate: chains[0].ChainPEM, Metadata: chains[0]}, nil
}

// GetRenewalInfo implements certmagic.RenewalInfoGetter (RFC 9773).
func (i *issuer) GetRenewalInfo(ctx context.Context, cert certmagic.Certificate) (acme.RenewalInfo, error) {
	return i.client.GetRenewalInfo(ctx, cert.Leaf)
}

func (i *issuer) order(ctx context.Context, csr *x509.CertificateRequest) ([]acme.Certificate, error) {
	account, err := i.registered(ctx)
	if err != nil {
		return nil, err
	}
	params, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return nil, err
	}
	solvers := i.authority.solvers(i.active, len(csr.IPAddresses) > 0)
	c := acmez.Client{Client: i.client, ChallengeSolvers: solvers}
	return c.ObtainCertificate(ctx, params)
}

func (i *issuer) forget() {
	i.turn <- struct{}{}
	defer func() { <-i.turn }()
	i.account = acme.Account{}
}

// registered returns the account. Only its key is stored, before it is first used: registering a key that the
// authority knows returns the account it has (RFC 8555 section 7.3), so no crash makes a second one.
func (i *issuer) registered(ctx context.Context) (acme.Account, error) {
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return acme.Account{}, ctx.Err()
	}
	defer func() { <-i.turn }()
	if i.account.Location != "" {
		return i.account, nil
	}
	key, err := i.accountKey(ctx)
	if err != nil {
		return acme.Account{}, fmt.Errorf("account key: %w", err)
	}
	account := acme.Account{PrivateKey: key, TermsOfServiceAgreed: true}
	if i.authority.email != "" {
		account.Contact = []string{"mailto:" + i.authority.email}
	}
	account, err = i.client.NewAccount(ctx, account)
	if err != nil {
		return acme.Account{}, fmt.Errorf("account: %w", err)
	}
	i.account = account
	return account, nil
}

func (i *issuer) accountKey(ctx context.Context) (crypto.Signer, error) {
	const lock = "acme_account"
	if err := i.storage.Lock(ctx, lock); err != nil {
		return nil, err
	}
	defer i.storage.Unlock(ctx, lock)
	name := i.accountKeyName()
	data, err := i.storage.Load(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return i.newAccountKey(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	key, err := certmagic.PEMDecodePrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; restore it, or remove it to register anew", i.storage.Filename(name), err)
	}
	return key, nil
}

func (i *issuer) newAccountKey(ctx context.Context, name string) (crypto.Signer, error) {
	key, err := certmagic.StandardKeyGenerator{KeyType: certmagic.P256}.GenerateKey()
	if err != nil {
		return nil, err
	}
	data, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key.(crypto.Signer), i.storage.Store(ctx, name, data)
}

func (i *issuer) accountKeyName() string {
	who := i.authority.email
	if who == "" {
		who = "default"
	}
	safe := certmagic.StorageKeys.Safe
	return path.Join("acme", safe(i.authority.key), "accounts", safe(who), "account.key")
}
