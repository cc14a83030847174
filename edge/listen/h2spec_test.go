package listen_test

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// h2spec's own cases, the strict ones too: as its command does with -t -k -S.
func TestH2Spec(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		if x.Request.Body != nil {
			if _, err := io.Copy(io.Discard, x.Request.Body); err != nil {
				x.Reply.Cut()
				return
			}
		}
		answer(x, 200, "an answer of some length, of which the windows are tried")
	})
	host, text, err := net.SplitHostPort(e.secure)
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	passed := 0
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(&config.Config{Host: host, Port: port, Path: "/", Timeout: 5 * time.Second,
			MaxHeaderLen: 4000, TLS: true, Insecure: true, Strict: true})
		passed += group.PassedCount
		assert.Zero(t, group.FailedCount, group.Name)
		assert.Zero(t, group.SkippedCount, group.Name)
	}
	assert.Equal(t, 146, passed)
}
