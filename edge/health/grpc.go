package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// checkMethod is the call of the gRPC health checking protocol (grpc/doc/health-checking.md).
const checkMethod = "/grpc.health.v1.Health/Check"

// serving is the status of a server that can serve.
const serving = 1

func (t *target) askGRPC(ctx context.Context, url string) error {
	body := bytes.NewReader(checkRequest(t.probe.Service))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	a, err := t.roundTrip(r)
	if err != nil {
		return err
	}
	defer a.Body.Close() // its error says nothing that the answer did not
	if a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/grpc") {
		return fmt.Errorf("status %d of type %q is no gRPC answer", a.StatusCode, a.Header.Get("Content-Type"))
	}
	frame, err := io.ReadAll(io.LimitReader(a.Body, bodyLimit+1))
	if err != nil {
		return err
	}
	if len(frame) > bodyLimit {
		return errors.New("the answer is too long")
	}
	code, message := a.Trailer.Get("Grpc-Status"), a.Trailer.Get("Grpc-Message")
	if code == "" { // an answer without a body has its trailers in the head
		code, message = a.Header.Get("Grpc-Status"), a.Header.Get("Grpc-Message")
	}
	if code != "0" {
		return fmt.Errorf("gRPC status %q %s", code, message)
	}
	return checkAnswer(frame)
}

// checkRequest is a HealthCheckRequest in its frame: field 1, the service's name.
func checkRequest(service string) []byte {
	var m []byte
	if service != "" {
		m = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service))), service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

var statusNames = [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

// checkAnswer tells of a HealthCheckResponse in its frame whether it says SERVING.
func checkAnswer(frame []byte) error {
	if len(frame) < 5 || frame[0] != 0 || uint64(binary.BigEndian.Uint32(frame[1:])) != uint64(len(frame)-5) {
		return errors.New("the answer is not one plain gRPC message")
	}
	status, err := enumField(frame[5:], 1)
	if err != nil {
		return err
	}
	if status == serving {
		return nil
	}
	if status < uint64(len(statusNames)) {
		return errors.New(statusNames[status])
	}
	return fmt.Errorf("status %d", status)
}

var errMessage = errors.New("the answer is no protocol buffer")

// enumField is the last value of a field of numbers in a protocol buffer, 0 if there is none. Other fields
// are passed over (protobuf.dev/programming-guides/encoding).
func enumField(m []byte, field uint64) (value uint64, err error) {
	for len(m) > 0 {
		tag, n := binary.Uvarint(m)
		if n <= 0 || tag>>3 == 0 {
			return 0, errMessage
		}
		m = m[n:]
		if tag == field<<3 {
			value, _ = binary.Uvarint(m)
		}
		size := fieldSize(m, tag&7)
		if size < 0 || size > len(m) {
			return 0, errMessage
		}
		m = m[size:]
	}
	return value, nil
}

// fieldSize is how many bytes a field of a wire type takes, negative if that cannot be told.
func fieldSize(m []byte, wire uint64) int {
	switch wire {
	case 0:
		if _, n := binary.Uvarint(m); n > 0 {
			return n
		}
	case 1:
		return 8
	case 2:
		if length, n := binary.Uvarint(m); n > 0 && length <= uint64(len(m)) {
			return n + int(length)
		}
	case 5:
		return 4
	}
	return -1 // groups among them, which are long gone
}
