package listen

import (
	"context"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// The types of unidirectional streams (RFC 9114 6.2, RFC 9204 4.2).
const (
	streamControl = 0x0
	streamPush    = 0x1
	streamEncoder = 0x2
	streamDecoder = 0x3
)

const (
	settingsMost = 4 << 10 // bytes of SETTINGS
	updateMost   = 4 << 10 // bytes of a PRIORITY_UPDATE
)

var (
	errH3Second    = connError(h3StreamCreation, "second stream of a type")
	errH3Push      = connError(h3StreamCreation, "push from a client")
	errH3Closed    = connError(h3ClosedCritical, "critical stream closed")
	errH3First     = connError(h3MissingSettings, "no settings at first")
	errH3Settings  = connError(h3BadSettings, "invalid settings")
	errH3Load      = connError(h3ExcessiveLoad, "frame too large")
	errH3ID        = connError(h3BadID, "invalid identifier")
	errH3Frame     = connError(h3FrameMalformed, "invalid frame")
	errQPACKInsert = connError(qpackEncoderStream, "insert into a table that has no room")
	errQPACKAck    = connError(qpackDecoderStream, "acknowledgement of what was not sent")
)

// acceptUni takes the client's unidirectional streams until the connection ends. Their number is bounded by
// the transport.
func (c *h3Conn) acceptUni() {
	for {
		str, err := c.conn.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		c.streams.Go(func() { c.readUni(str) })
	}
}

// readUni reads one until it ends, which the critical ones must not.
func (c *h3Conn) readUni(str *quic.ReceiveStream) {
	r := &h3Reader{buf: make([]byte, 64)}
	r.reset(str)
	kind, err := r.number()
	if err != nil {
		return // it ended before it told what it is
	}
	var read func(*h3Reader) error
	switch kind {
	case streamControl:
		read = c.readControl
	case streamEncoder:
		read = readEncoder
	case streamDecoder:
		read = readDecoder
	case streamPush:
		closeFor(c.conn, errH3Push)
		return
	default:
		str.CancelRead(quic.StreamErrorCode(h3StreamCreation))
		return
	}
	if c.critical[kind].Swap(true) {
		closeFor(c.conn, errH3Second)
		return
	}
	err = read(r)
	if e, ok := err.(*h3Error); ok && e != errH3Truncated {
		closeFor(c.conn, e)
		return
	}
	closeFor(c.conn, errH3Closed)
}

// readControl reads the client's control stream; it returns what is wrong.
func (c *h3Conn) readControl(r *h3Reader) error {
	kind, length, err := r.frame()
	if err != nil {
		return err
	}
	if kind != frameSettings {
		return errH3First
	}
	payload, err := takeFrame(r, length, settingsMost)
	if err != nil {
		return err
	}
	if !validSettings(payload) {
		return errH3Settings
	}
	for {
		kind, length, err = r.frame()
		if err == nil {
			err = c.controlFrame(r, kind, length)
		}
		if err != nil {
			return err
		}
	}
}

func takeFrame(r *h3Reader, length uint64, most int) ([]byte, error) {
	if length > uint64(most) {
		return nil, errH3Load
	}
	return r.take(int(length))
}

// controlFrame takes one that follows the SETTINGS.
func (c *h3Conn) controlFrame(r *h3Reader, kind, length uint64) error {
	switch kind {
	case frameGoAway, frameMaxPushID, frameCancelPush:
		if length > 8 {
			return errH3Frame
		}
		payload, err := r.take(int(length))
		if err != nil {
			return err
		}
		id, n, err := quicvarint.Parse(payload)
		if err != nil || n != len(payload) {
			return errH3Frame
		}
		return c.pushes.take(kind, id)
	case framePriority, framePriorityPush:
		payload, err := takeFrame(r, length, updateMost)
		if err != nil {
			return err
		}
		return c.update(kind, payload)
	}
	if !ignorable(kind) {
		return errH3Unexpected
	}
	return r.skip(length)
}

// h3Pushes is what the client said of pushes, of which we make none.
type h3Pushes struct {
	most    uint64 // the largest it allows, and 1
	goAway  uint64 // its last
	leaving bool
}

// take holds the identifiers of a frame to RFC 9114 7.2.
func (p *h3Pushes) take(kind, id uint64) error {
	switch {
	case kind == frameCancelPush: // none was promised
		return errH3ID
	case kind == frameMaxPushID && id+1 < p.most:
		return errH3ID
	case kind == frameMaxPushID:
		p.most = id + 1
	case p.leaving && id > p.goAway:
		return errH3ID
	default:
		p.leaving, p.goAway = true, id
	}
	return nil
}

// update takes a PRIORITY_UPDATE (RFC 9218 7.2). One that comes before its request is without effect.
func (c *h3Conn) update(kind uint64, payload []byte) error {
	id, n, err := quicvarint.Parse(payload)
	switch {
	case err != nil:
		return errH3Frame
	case kind == framePriorityPush, id%4 != 0:
		return errH3ID
	}
	c.aware.Store(true)
	urgency, incremental := parsePriority(payload[n:])
	c.prefer(quic.StreamID(id), urgency, incremental)
	return nil
}

// validSettings refuses settings that are there twice, that were HTTP/2's, or whose values are none.
func validSettings(b []byte) bool {
	seen := map[uint64]bool{}
	for len(b) > 0 {
		id, n, err := quicvarint.Parse(b)
		if err != nil {
			return false
		}
		v, m, err := quicvarint.Parse(b[n:])
		if err != nil || seen[id] {
			return false
		}
		seen[id], b = true, b[n+m:]
		switch id {
		case 0x0, 0x2, 0x3, 0x4, 0x5:
			return false
		case settingExtendedConnect, settingDatagram:
			if v > 1 {
				return false
			}
		}
	}
	return true
}

// readEncoder reads the client's encoder stream: all it may say is that the table stays empty (RFC 9204 4.3).
func readEncoder(r *h3Reader) error {
	for {
		b, err := r.take(1)
		if err != nil {
			return err
		}
		if b[0] != 0x20 {
			return errQPACKInsert
		}
	}
}

// readDecoder reads the client's decoder stream: without a dynamic table, streams are cancelled at most
// (RFC 9204 4.4).
func readDecoder(r *h3Reader) error {
	for {
		b, err := r.take(1)
		if err != nil {
			return err
		}
		if b[0]&0xc0 != 0x40 {
			return errQPACKAck
		}
		for more := b[0]&0x3f == 0x3f; more; {
			if b, err = r.take(1); err != nil {
				return err
			}
			more = b[0]&0x80 != 0
		}
	}
}
