package http2

import "encoding/binary"

// The settings that matter (RFC 9113 6.5.2, RFC 8441, RFC 9218).
const (
	SettingTableSize       = 0x1
	SettingPush            = 0x2
	SettingStreams         = 0x3
	SettingWindow          = 0x4
	SettingFrameSize       = 0x5
	SettingListSize        = 0x6
	SettingConnectProtocol = 0x8
	SettingNoPriorities    = 0x9
)

// ReadSettings calls window for each initial window that the payload of a Settings frame sets, in order, and
// holds the others to their ranges. None of them changes what we send: we push nothing, keep no dynamic
// table, and no frame of ours is larger than every client takes.
func ReadSettings(payload []byte, window func(v int32) *Error) *Error {
	for ; len(payload) >= 6; payload = payload[6:] {
		v := binary.BigEndian.Uint32(payload[2:])
		switch binary.BigEndian.Uint16(payload) {
		case SettingPush, SettingConnectProtocol, SettingNoPriorities:
			if v > 1 {
				return errSetting
			}
		case SettingFrameSize:
			if v < MaxPayload || v > 1<<24-1 {
				return errSetting
			}
		case SettingWindow:
			if v > MaxWindow {
				return errSettingFlow
			}
			if err := window(int32(v)); err != nil {
				return err
			}
		}
	}
	return nil
}
