package edge_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// echoService answers calls of all four kinds without generated code.
var echoService = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context,
		decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.StringValue)
		if err := decode(in); err != nil {
			return nil, err
		}
		grpc.SetTrailer(ctx, metadata.Pairs("sum", fmt.Sprint(len(in.Value))))
		if in.Value == "fail" {
			return nil, status.Error(codes.FailedPrecondition, "as asked")
		}
		return in, nil
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Stream", ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, s grpc.ServerStream) error {
			for {
				in := new(wrapperspb.StringValue)
				if err := s.RecvMsg(in); err == io.EOF {
					s.SetTrailer(metadata.Pairs("end", "clean"))
					return nil
				} else if err != nil {
					return err
				}
				if err := s.SendMsg(in); err != nil {
					return err
				}
			}
		}}, {StreamName: "Count", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		in := new(wrapperspb.StringValue)
		if err := s.RecvMsg(in); err != nil {
			return err
		}
		for i := range 100 {
			if err := s.SendMsg(wrapperspb.String(fmt.Sprint(in.Value, " ", i))); err != nil {
				return err
			}
		}
		return nil
	}}, {StreamName: "Gather", ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		total := 0
		for {
			in := new(wrapperspb.StringValue)
			if err := s.RecvMsg(in); err == io.EOF {
				return s.SendMsg(wrapperspb.String(fmt.Sprint(total)))
			} else if err != nil {
				return err
			}
			total += len(in.Value)
		}
	}}},
}

func TestGRPCThroughAnH2CBackend(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	server.RegisterService(&echoService, nil)
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-served })

	text := pool(one("http://"+l.Addr().String()), "builtin/stateless", "{}")
	r := start(t, strings.Replace(text, "    strategy: s\n", "    strategy: s\n    upstream: { protocol: h2c }\n", 1))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.RootPEM())
	conn, err := grpc.NewClient(fmt.Sprintf("localhost:%d", r.Port("https")),
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "")))
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()

	var trailer metadata.MD
	out := new(wrapperspb.StringValue)
	require.NoError(t, conn.Invoke(ctx, "/test.Echo/Unary", wrapperspb.String("hello"), out, grpc.Trailer(&trailer)))
	assert.Equal(t, "hello", out.Value)
	assert.Equal(t, []string{"5"}, trailer.Get("sum"))

	err = conn.Invoke(ctx, "/test.Echo/Unary", wrapperspb.String("fail"), out)
	assert.Equal(t, codes.FailedPrecondition, status.Code(err))
	assert.Contains(t, err.Error(), "as asked")

	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Echo/Stream")
	require.NoError(t, err)
	for i := range 50 { // each answer comes before the next message goes
		want := fmt.Sprint("message ", i)
		require.NoError(t, stream.SendMsg(wrapperspb.String(want)))
		require.NoError(t, stream.RecvMsg(out))
		require.Equal(t, want, out.Value)
	}
	require.NoError(t, stream.CloseSend())
	require.ErrorIs(t, stream.RecvMsg(out), io.EOF)
	assert.Equal(t, []string{"clean"}, stream.Trailer().Get("end"))

	stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/test.Echo/Count")
	require.NoError(t, err)
	require.NoError(t, stream.SendMsg(wrapperspb.String("n")))
	require.NoError(t, stream.CloseSend())
	for i := range 100 {
		require.NoError(t, stream.RecvMsg(out))
		require.Equal(t, fmt.Sprint("n ", i), out.Value)
	}
	require.ErrorIs(t, stream.RecvMsg(out), io.EOF)

	stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/test.Echo/Gather")
	require.NoError(t, err)
	for range 100 {
		require.NoError(t, stream.SendMsg(wrapperspb.String(strings.Repeat("x", 10_000))))
	}
	require.NoError(t, stream.CloseSend())
	require.NoError(t, stream.RecvMsg(out))
	assert.Equal(t, "1000000", out.Value)
}
