package abi_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// table gives the rows of the published table whose header starts with these cells; cells are
// trimmed of spaces and backquotes.
func table(t *testing.T, header ...string) [][]string {
	t.Helper()
	page, err := os.ReadFile("../ABI.md")
	require.NoError(t, err)
	var rows [][]string
	inside := false
	for line := range strings.Lines(string(page)) {
		cells := split(line)
		switch {
		case cells == nil:
			inside = false
		case len(cells) >= len(header) && assert.ObjectsAreEqual(header, cells[:len(header)]):
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	require.NotEmpty(t, rows, "no table %v", header)
	return rows
}

func split(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i, c := range cells {
		cells[i] = strings.Trim(c, " `")
	}
	return cells
}

// firsts joins the first n cells of each row.
func firsts(rows [][]string, n int) []string {
	var list []string
	for _, r := range rows {
		list = append(list, strings.Join(r[:n], " "))
	}
	return list
}

func signatures(list []abi.Func) []string {
	var out []string
	for _, f := range list {
		out = append(out, f.Name+" "+f.Type())
	}
	return out
}

func TestPublishedSignatures(t *testing.T) {
	assert.Equal(t, signatures(abi.Exports()), firsts(table(t, "export", "type"), 2))
	assert.Equal(t, signatures(abi.Imports()), firsts(table(t, "import", "type"), 2))
}

func TestPublishedOptionalExports(t *testing.T) {
	for i, row := range table(t, "export", "type") {
		assert.Equal(t, abi.Exports()[i].Optional, strings.HasPrefix(row[2], "optional"), row[0])
	}
}

func TestPublishedKinds(t *testing.T) {
	var want []string
	for k := abi.Kind(1); k.Valid(); k++ {
		want = append(want, fmt.Sprint(uint32(k), " ", k))
	}
	rows := table(t, "kind", "name")
	assert.Equal(t, want, firsts(rows, 2))
	for i, row := range rows {
		assert.Equal(t, abi.Kind(i+1).Named(), strings.HasPrefix(row[2], "named"), row[1])
	}
}

func TestPublishedStates(t *testing.T) {
	var want []string
	for s := abi.StateReady; s <= abi.StateMaintenance; s++ {
		want = append(want, fmt.Sprint(uint32(s), " ", s))
	}
	assert.Equal(t, want, firsts(table(t, "state", "name"), 2))
}

// The tables of frames and records, in the order of the page, joined.
func TestPublishedFrames(t *testing.T) {
	want := []string{
		at(abi.RequestAttempt, "attempt u32"), at(abi.RequestPinned, "pinned u32"),
		at(abi.RequestExcludedOff, "excluded offset u32"), at(abi.RequestExcludedCount, "excluded count u32"),
		at(abi.RequestSlots, "slots u32"), at(abi.RequestSpans, "spans slots × span"),

		at(abi.BackendsVersion, "version u32"), at(abi.BackendsCount, "count u32"),
		at(abi.BackendsRecords, "records count × record"),

		at(abi.RecordID, "id span"), at(abi.RecordAddress, "address span"), at(abi.RecordZone, "zone span"),
		at(abi.RecordLabels, "labels span"), at(abi.RecordWeight, "weight u32"), at(abi.RecordState, "state u32"),

		at(abi.OutcomeBackend, "backend u32"), at(abi.OutcomeStatus, "status u32"),
		at(abi.OutcomeFlags, "flags u32"), at(abi.OutcomeAttempt, "attempt u32"),
		at(abi.OutcomeHead, "head u64"), at(abi.OutcomeTotal, "total u64"),

		at(abi.LoadBackend, "backend u32"), at(abi.LoadInFlight, "in flight i32"),
		at(abi.LoadLatency, "latency i64"),
	}
	assert.Equal(t, want, firsts(table(t, "offset", "field", "type"), 3))
}

func at(offset int, field string) string { return fmt.Sprint(offset, " ", field) }

func TestFrameSizesFollowFromTheirFields(t *testing.T) {
	assert.Equal(t, abi.RecordState+4, abi.RecordSize)
	assert.Equal(t, abi.OutcomeTotal+8, abi.OutcomeSize)
	assert.Equal(t, abi.SpanLen+4, abi.SpanSize)
	assert.Equal(t, abi.LoadLatency+8, abi.LoadSize)
	for _, size := range []string{
		fmt.Sprintf("One record, %d bytes", abi.RecordSize), fmt.Sprintf("Outcome, %d bytes", abi.OutcomeSize),
		fmt.Sprintf("One record for `loads`, %d bytes", abi.LoadSize),
		fmt.Sprintf("%#X = the request does not have it", abi.Absent), fmt.Sprintf("Form %d is raw", abi.FormRaw),
		fmt.Sprintf("Form %d is %d bytes", abi.FormHash, abi.HashSize),
	} {
		assertSays(t, size)
	}
}

func assertSays(t *testing.T, text string) {
	t.Helper()
	page, err := os.ReadFile("../ABI.md")
	require.NoError(t, err)
	assert.Contains(t, strings.ReplaceAll(string(page), "0x", "0X"), strings.ReplaceAll(text, "0x", "0X"))
}

func TestPublishedDecision(t *testing.T) {
	assert.Equal(t, []string{
		"0-31",
		fmt.Sprintf("%d-%d", abi.VerdictShift, abi.FlagsShift-1),
		fmt.Sprintf("%d-%d", abi.FlagsShift, abi.StatusShift-1),
		fmt.Sprintf("%d-63", abi.StatusShift),
	}, firsts(table(t, "bits", "meaning"), 1))
	for _, text := range []string{
		fmt.Sprintf("%d route, %d abstain", abi.VerdictRoute, abi.VerdictAbstain),
		fmt.Sprintf("%d reject, %d respond", abi.VerdictReject, abi.VerdictRespond),
		fmt.Sprintf("%d = pin", abi.FlagPin), fmt.Sprintf("0 = %d", abi.DefaultRejectStatus),
		fmt.Sprintf("%d connect failed, %d timed out, %d reset",
			abi.OutcomeConnectFailed, abi.OutcomeTimedOut, abi.OutcomeReset),
		fmt.Sprintf("%d debug, %d info, %d warn, %d error",
			abi.LevelDebug, abi.LevelInfo, abi.LevelWarn, abi.LevelError),
		fmt.Sprintf("%d if refused", abi.NeedRefused), fmt.Sprintf("%d = absent", abi.StoreAbsent),
		fmt.Sprintf("%d = stored", abi.StoreOK),
	} {
		assertSays(t, text)
	}
}

func TestPublishedLimits(t *testing.T) {
	var got []string
	for _, row := range table(t, "limit", "value") {
		got = append(got, row[1])
	}
	var want []string
	for _, limit := range []int{
		abi.MaxModuleSize, abi.MaxMemory, abi.PickFuel, abi.SetupFuel, abi.MaxRequest, abi.MaxSlots,
		abi.MaxNameLen, abi.MaxBackends, abi.MaxCounters, abi.MaxLoads, abi.MaxSpares, abi.MaxFailLen,
		abi.MaxLogLen, abi.MaxStoreKey, abi.MaxStoreValue, abi.MaxSetHeaders, abi.MaxHeaderBytes,
		abi.MaxRespondBody,
	} {
		want = append(want, fmt.Sprint(limit))
	}
	assert.Equal(t, want, got)
}
